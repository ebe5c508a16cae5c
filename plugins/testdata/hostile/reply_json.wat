;; Replies with a payload that is no JSON.
(data (i32.const 131072)
  "\40\00\01\00\00\00\00\00" ;; header_size 64, result, flags, state_version
  "\00\00\00\00\00\00\00\00" ;; number, effect_size
  "\00\00\00\00\00\00\00\00" ;; effects: offset, number of records
  "\40\00\00\00\09\00\00\00" ;; payload
  "\00\00\00\00\00\00\00\00" ;; event
  "\00\00\00\00\00\00\00\00" ;; state
  "\00\00\00\00\00\00\00\00" ;; id_topic
  "\00\00\00\00\00\00\00\00" ;; text
  "{\22a\22:nul}")
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0x0002000000000049)) ;; 73 bytes at 131072
