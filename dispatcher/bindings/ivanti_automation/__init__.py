"""The Ivanti Automation dialect: the SchedulingService over SOAP, REST-XML and REST-JSON."""
