"""fastlint finds blocking calls on the event loop of FastAPI services, without running or importing them."""

__version__ = "0.1.0"
