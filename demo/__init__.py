"""The demo: a territory modelled on Đồng Tháp, its loudspeakers simulated, something on air."""
