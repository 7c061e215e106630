# What the loop of a dead-man timer and those who talk to it share; d is the timer's folder. The state of its lease is
# the name of one file there:
#
#   until-N    held until /proc/uptime says N hundredths of a second
#   fired      the loop is undoing the injection, or gave up
#   undone     the loop has undone it
#   disarmed   the loop ends without a deed
#
# Whoever changes the state renames that file. A rename of one name happens once, so of a renewal, a firing and a
# disarming that race exactly one comes true, and each learns whether it was the one.

clock() { # now: hundredths of a second since boot, which nobody can set
  read -r up rest </proc/uptime && now=$((${up%.*} * 100 + 1${up#*.} - 100))
}

mine() { [ -d "$d" ] && [ -O "$d" ] && [ ! -L "$d" ]; }

look() { # state: the name of the state file, or gone
  mine && for try in 1 2 3 4 5; do # a list of the folder may miss what is renamed meanwhile
    for f in "$d"/until-* "$d"/fired "$d"/undone "$d"/disarmed; do
      [ -f "$f" ] && state=${f##*/} && return
    done
  done
  state=gone
}

put() { # file text: in place, so that it also works on a full disk
  printf '%-24s\n' "$2" 1<>"$1"
}
