#
# judges.py: the vendors' SDKs, asked from Python
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/lib/judges.py

import atexit
import json
import os
import select
import subprocess

from tap import HERE, diag, skip


class Judges:
    """A node process that has the SDKs, see lib/sdks.js."""

    def __init__(self):
        # Whatever a judge makes of local time must not matter.
        self.process = subprocess.Popen(
            ['node', os.path.join(HERE, 'sdks.js')], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ, TZ='America/New_York'))
        atexit.register(self.process.kill)

    def ask(self, judge, **question):
        """The answer and None, or None and why it was refused."""
        question['judge'] = judge
        try:
            self.process.stdin.write(json.dumps(question).encode() + b'\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            return None, 'node is gone'
        if not select.select([self.process.stdout], [], [], 60)[0]:
            self.process.kill()
        line = self.process.stdout.readline()
        if not line:
            return None, 'node is gone'
        result = json.loads(line)
        return result.get('answer'), result.get('refused')

    def answer(self, judge, **question):
        answer, refused = self.ask(judge, **question)
        if refused is not None:
            diag('%s: %s' % (judge, refused))
        return answer

    def verdict(self, judge, **question):
        refused = self.ask(judge, **question)[1]
        return 'accepted' if refused is None else refused

    def verdicts(self, judge, question, changes):
        """The verdict on each change of a question."""
        return {what: self.verdict(judge, **dict(question, **change))
                for what, change in changes.items()}


def ask_judges(tests):
    """Runs the tests of each SDK that is here: package -> function."""
    try:
        judges = Judges()
    except FileNotFoundError:
        judges = None
    missing = judges.answer('missing') if judges else {}
    for package, test in tests.items():
        if judges is None:
            skip(package, 'node is not here')
        elif package in missing:
            skip(package, missing[package])
        else:
            test(judges)
