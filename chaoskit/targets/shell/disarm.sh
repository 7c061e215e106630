end
echo disarmed
