"""What the server imports first: from here on, it looks for no garbage.

All of what it imports stays, and to look through it again and again takes a fifth of
the time. A server can be told to import, and nothing else; so this is a module.
"""

import gc

gc.disable()
