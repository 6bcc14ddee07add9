"""Every message, query and key expression that crosses a service."""
