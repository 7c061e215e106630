alive=' '
for p in /proc/[0-9]*; do
  is_loop "${p#/proc/}" && alive="$alive$at "
done
for base in $folders; do
  for d in "$base"/chaoskit-*; do
    mine && [ -f "$d/loop" ] || continue
    look
    case $alive in *" $d "*) lives=alive ;; *) lives=dead ;; esac
    printf '%s %s %s\n' "$state" "$lives" "$d"
  done
done
for one in $alive; do
  [ -d "$one" ] || printf 'gone alive %s\n' "$one"
done
echo listed
