"""GitHub: client, gate, comment and status, data branch, doctor."""
