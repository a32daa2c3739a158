"""The screens: the main one, the picker, and the lists that open over it."""
