"""Python configuration, followed statement by statement without being run: layers of one interpreter."""
