// Go takes functions without bodies only beside assembly.
