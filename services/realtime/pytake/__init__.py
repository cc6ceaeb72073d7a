"""PyTake Realtime: chat with customers over WhatsApp, live, on Socket.IO."""

__version__ = "0.1.0"
