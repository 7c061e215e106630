# $2 is the lease in hundredths of a second.
folder || lost 'it is not there any more'
extend "$2"
echo renewed
