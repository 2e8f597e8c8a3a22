"""Missing annotations: concepts that proteins may have and lack in the table, and how well such are found."""
