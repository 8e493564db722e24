"""What the parts' test scripts do, each for its part."""

from common.errors import run_script
from common.options import LSTM_TEST_DEFAULTS, TEST_DEFAULTS, parse_options


def run_test(part, description, script):
    """Run a part's test script; description and script as in parse_options."""
    is_bag = part[0] == "1"

    def main():
        options = parse_options(description, script,
                                **TEST_DEFAULTS | dict(batch_size=1000) if is_bag else LSTM_TEST_DEFAULTS)

        # Only now, since torch takes a second to import, and --help should not.
        from common.testing.part_test import BagTest, SequenceTest

        (BagTest if is_bag else SequenceTest)(part, options).run()

    run_script(main)
