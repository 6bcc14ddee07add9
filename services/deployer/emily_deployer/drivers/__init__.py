"""What starts and stops colours: processes of the embedded system, or containers of Compose."""
