"""What the tests of the WhatsApp channel share."""
