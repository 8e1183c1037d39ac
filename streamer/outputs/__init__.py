"""Where sound goes besides loudspeakers and mounts: HLS, WebRTC monitors, multicast, recordings."""
