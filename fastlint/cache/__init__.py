"""What a run remembers for the next one, in `.fastlint_cache`. Never trusted, never executed, never needed.

Nothing here imports a library or another part of fastlint but its version: an unchanged run has to be answered before
those could be loaded. Whoever can write this folder can also write the settings file beside it; more than the settings
allow cannot be done with it.
"""
