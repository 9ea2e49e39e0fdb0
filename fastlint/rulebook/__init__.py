"""All that fastlint knows about the world: rules and libraries, read from `rules/` and from the project's settings."""
