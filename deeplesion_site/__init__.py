"""What people touch: settings, URLs, REST API, dashboard pages."""
