"""The protocol kit: vendor-free HTTP, SOAP, XML and JSON, compiled once per declared type."""
