"""Schema migrations, run from inside the package."""
