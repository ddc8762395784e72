"""What every provider of an interface must do: test cases, written once, to be mixed in for each provider.

Import the module and derive from its class (a test runner would collect the class itself from a test module's names).
"""
