"""Opening files of a target: as the target itself may, inside its own file tree, never what could block or act."""
