"""A board that tells the states of a fan apart, and is taught new ones by a button.

NOT RUN ON HARDWARE: tried on emulated boards with the simulated sensor only.

N presses of the button: the next TAUGHT windows are stored as state N. When the button has rested
for a while the board learns and saves. Ctrl-C ends it, so that a computer can talk to the board.
"""

import engram
import engram_board
import features
import simulated

NAMES = simulated.STATES
MODEL = engram_board.FS_ROOT + "/model.safetensors"
TAUGHT = 8  # windows that are stored when the button was pressed
IDLE = 5  # windows without teaching before it learns
EPOCHS = 20


def main():
    # Two lines to change for a real sensor and button: see sensor.py and button.py.
    source = simulated.World()
    button = source

    learner = engram.open(MODEL, batch=8, lr=0.05, bits=8)  # nine numbers are small as they are
    count, new = len(learner.store), len(learner.current_slots())
    print("opened: %d windows stored, %d of them not learned yet" % (count, new))
    window, x = features.window(), None
    label, rest, idle = 0, 0, 0
    while True:
        source.fill(window)
        x = features.of(window, x)
        presses = button.presses()
        if presses > len(NAMES):
            print("%d presses: there are %d states" % (presses, len(NAMES)))
        elif presses:
            label, rest = presses - 1, TAUGHT
        if rest:
            learner.observe(x, label)  # in flash when it returns
            rest -= 1
            idle = 0
            print("stored: %s" % NAMES[label])
            continue
        answer, probability = learner.predict(x)
        truth = "" if source.truth is None else ", is %s" % source.truth
        print("%s %d %%%s" % (NAMES[answer], 100 * probability, truth))
        idle += 1
        if idle == IDLE and learner.current_slots():
            print("learning")
            run = learner.learn(epochs=EPOCHS)
            print("learned: loss %.3f, saved as %d" % (run["last_loss"], learner.save()))


try:
    main()
except KeyboardInterrupt:
    print("stopped: import main starts it again")
