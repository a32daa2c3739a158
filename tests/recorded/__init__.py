"""Programs that nobody here wrote, healthy and broken, recorded once: what is said of them must stay right."""
