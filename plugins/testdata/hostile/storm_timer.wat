;; The same with a timer that fires at once.
(data (i32.const 131072)
  "\40\00\00\00\00\00\00\00" ;; header_size 64, result, flags, state_version
  "\00\00\00\00\30\00\00\00" ;; number, effect_size
  "\40\00\00\00\01\00\00\00" ;; effects: offset, number of records
  "\00\00\00\00\00\00\00\00" ;; payload
  "\00\00\00\00\00\00\00\00" ;; event
  "\00\00\00\00\00\00\00\00" ;; state
  "\00\00\00\00\00\00\00\00" ;; id_topic
  "\00\00\00\00\00\00\00\00" ;; text
  "\06\00\00\00\00\00\00\00" ;; effect: kind, flags, number
  "\00\00\00\00\00\00\00\00" ;; value
  "\00\00\00\00\00\00\00\00" ;; topic
  "\70\00\00\00\05\00\00\00" ;; event
  "\00\00\00\00\00\00\00\00" ;; payload
  "\00\00\00\00\00\00\00\00" ;; key
  "again")
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0x0002000000000075)) ;; 117 bytes at 131072
(export "handle_info" (func $attack))
