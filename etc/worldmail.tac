"""For `twistd -n --pidfile= -y etc/worldmail.tac`.

The variable WORLDMAIL_CONFIG names the configuration file; without it the server makes, or uses
again, ./worldmail-data, as `twistd worldmail` does.
"""

import os

from worldmail.app.tap import application as make_application

application = make_application(os.environ.get("WORLDMAIL_CONFIG"))
