"""Commands that do one thing and end: one file each, wired into the CLI by `main`."""
