"""Where live sound comes from: radios that are relayed, encoders that push, microphones by WebSocket."""
