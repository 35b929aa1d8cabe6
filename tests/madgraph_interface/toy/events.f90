! The events of an iteration go when the next one begins.

subroutine clear_events
  implicit none
  integer :: kept
  common /toy_events/ kept
  kept = 0
end subroutine clear_events
