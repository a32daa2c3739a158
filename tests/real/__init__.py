"""Programs and libraries that nobody here wrote, over the project's shims."""
