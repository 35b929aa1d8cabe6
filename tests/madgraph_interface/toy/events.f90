! Events by their weights over ten times twgt, at least 1, in the common block of MadEvent.

subroutine unwgt(wgt)
  implicit none
  double precision, intent(in) :: wgt
  integer, parameter :: most = 200000
  double precision :: twgt, maxwgt, swgt(most), r
  integer :: lun, nw, itmin
  common /to_unwgt/ twgt, maxwgt, swgt, lun, nw, itmin
  if (twgt <= 0d0 .or. wgt <= 0d0) return
  call ranmar(r)
  if (wgt <= 10d0 * twgt * r .or. nw >= most) return
  nw = nw + 1
  swgt(nw) = max(wgt / (10d0 * twgt), 1d0)
end subroutine unwgt

! The events of an iteration go when the next one begins.
subroutine clear_events
  implicit none
  integer, parameter :: most = 200000
  double precision :: twgt, maxwgt, swgt(most)
  integer :: lun, nw, itmin
  common /to_unwgt/ twgt, maxwgt, swgt, lun, nw, itmin
  nw = 0
end subroutine clear_events

! Unweighting: the largest weight leaves one per cent of the sum above.
subroutine store_events(force, scaled)
  implicit none
  double precision, intent(in) :: force
  logical, intent(in) :: scaled
  integer, parameter :: most = 200000
  double precision :: twgt, maxwgt, swgt(most), low, high, middle
  integer :: lun, nw, itmin, written, i
  common /to_unwgt/ twgt, maxwgt, swgt, lun, nw, itmin
  common /to_eventswritten/ written
  written = 0
  if (nw == 0) return
  if (.not. scaled .or. force >= 0d0) stop 1
  low = 0d0; high = maxval(swgt(1:nw))
  do i = 1, 60
    middle = 0.5d0 * (low + high)
    if (sum(max(swgt(1:nw) - middle, 0d0)) > 0.01d0 * sum(swgt(1:nw))) then
      low = middle
    else
      high = middle
    end if
  end do
  maxwgt = high
  written = int(sum(min(swgt(1:nw) / high, 1d0)))
  print *, 'largest', high
end subroutine store_events
