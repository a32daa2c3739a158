"""Where else a refused or missing name is: a bounded search of likely places, one small step at a time."""
