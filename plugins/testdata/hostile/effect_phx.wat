;; Pushes phx_reply to its client, as if the host had.
(data (i32.const 131072)
  "\40\00\00\00\00\00\00\00" ;; header_size 64, result, flags, state_version
  "\00\00\00\00\30\00\00\00" ;; number, effect_size
  "\40\00\00\00\01\00\00\00" ;; effects: offset, number of records
  "\00\00\00\00\00\00\00\00" ;; payload
  "\00\00\00\00\00\00\00\00" ;; event
  "\00\00\00\00\00\00\00\00" ;; state
  "\00\00\00\00\00\00\00\00" ;; id_topic
  "\00\00\00\00\00\00\00\00" ;; text
  "\02\00\00\00\00\00\00\00" ;; effect: kind, flags, number
  "\00\00\00\00\00\00\00\00" ;; value
  "\70\00\00\00\00\00\00\00" ;; topic
  "\70\00\00\00\09\00\00\00" ;; event
  "\79\00\00\00\1d\00\00\00" ;; payload
  "\00\00\00\00\00\00\00\00" ;; key
  "phx_reply{\22status\22:\22ok\22,\22response\22:{}}")
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0x0002000000000096)) ;; 150 bytes at 131072
