/**
 * errors.ts: the one registry of what a client can be told it did wrong.
 *
 * Clients match on these texts, so they are Redis 7.2's to the letter. An entry without parameters
 * is made once and thrown again and again; one with parameters is a function. None records a stack:
 * it is an answer to a client, not a fault of ours, and must cost no more than any other reply.
 *
 * Invariants: (1) a line begins with its code in capitals and has no CR, LF or leading '-'.
 * (2) An entry is never changed.
 */

/** A command ends with this RESP error line instead of a result. */
export class CommandError extends Error {
  /** The whole line without '-', for example "ERR syntax error". */
  readonly line: string

  constructor(line: string) {
    super(line)
    this.name = 'CommandError'
    this.line = line
  }

  /** First word of the line, by which INFO errorstats counts. */
  get code(): string {
    const space = this.line.indexOf(' ')
    return space < 0 ? this.line : this.line.slice(0, space)
  }
}

/** The input of a connection is not RESP, or beyond a limit: it is told so and closed. */
export class ProtocolError extends CommandError {
  constructor(line: string) {
    super(line)
    this.name = 'ProtocolError'
  }
}

/** Makes an error without recording the stack. */
function quietly<E extends CommandError>(make: () => E): E {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** An error with the given line. What has an entry below is thrown from there. */
export function commandError(line: string): CommandError {
  return quietly(() => new CommandError(oneLine(line)))
}

function protocolError(text: string): ProtocolError {
  return quietly(() => new ProtocolError(oneLine(`ERR Protocol error: ${text}`)))
}

/** RESP lines end at CR LF, so neither may be inside one. */
export function oneLine(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, ' ') : text
}

/** Words of a client are cut here when an error quotes them. */
const QUOTED_MAX = 128

export const errors = {
  // The command and its words
  syntax: commandError('ERR syntax error'),
  notInteger: commandError('ERR value is not an integer or out of range'),
  notFloat: commandError('ERR value is not a valid float'),
  notPositive: commandError('ERR value is out of range, must be positive'),
  valueOutOfRange: commandError('ERR value is out of range'),
  wrongArity: (fullName: string) => commandError(`ERR wrong number of arguments for '${fullName}' command`),
  unknownCommand: (words: readonly string[]) => {
    let excerpt = ''
    for (let i = 1; i < words.length && excerpt.length < QUOTED_MAX; i++) {
      excerpt += `'${words[i]!.slice(0, QUOTED_MAX - excerpt.length)}' `
    }
    const name = words[0]!.slice(0, QUOTED_MAX)
    return commandError(`ERR unknown command '${name}', with args beginning with: ${excerpt}`)
  },
  unknownSubcommand: (command: string, subcommand: string) =>
    commandError(
      `ERR unknown subcommand '${subcommand.slice(0, QUOTED_MAX)}'. Try ${command.toUpperCase()} HELP.`,
    ),
  unknownSubcommandOrArity: (command: string, subcommand: string) =>
    commandError(
      `ERR unknown subcommand or wrong number of arguments for '${subcommand.slice(0, QUOTED_MAX)}'. ` +
        `Try ${command.toUpperCase()} HELP.`,
    ),
  invalidCursor: commandError('ERR invalid cursor'),
  numkeysNotPositive: commandError('ERR numkeys should be greater than 0'),
  tooManyKeys: commandError("ERR Number of keys can't be greater than number of args"),
  negativeCount: commandError("ERR COUNT can't be negative"),
  negativeLimit: commandError("ERR LIMIT can't be negative"),
  timeoutNotInteger: commandError('ERR timeout is not an integer or out of range'),
  timeoutNotFloat: commandError('ERR timeout is not a float or out of range'),
  timeoutTooLarge: commandError('ERR timeout is out of range'),
  negativeTimeout: commandError('ERR timeout is negative'),

  // Keys
  wrongType: commandError('WRONGTYPE Operation against a key holding the wrong kind of value'),
  noSuchKey: commandError('ERR no such key'),
  indexOutOfRange: commandError('ERR index out of range'),
  rankZero: commandError(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
      'or use negative to start from the end of the list',
  ),
  negativeMaxLength: commandError("ERR MAXLEN can't be negative"),
  sameObject: commandError('ERR source and destination objects are the same'),
  swapWithPeers: commandError(
    'ERR SWAPDB is refused while other regions are connected: what they write meanwhile would change databases',
  ),
  swapTooLarge: commandError(
    'ERR SWAPDB is refused: the two databases hold more than 64 MB, which is too much for one op',
  ),
  invalidExpire: (command: string) => commandError(`ERR invalid expire time in '${command}' command`),
  expireNxExclusive: commandError('ERR NX and XX, GT or LT options at the same time are not compatible'),
  expireGtLtExclusive: commandError('ERR GT and LT options at the same time are not compatible'),
  unsupportedOption: (option: string) => commandError(`ERR Unsupported option ${option}`),
  sortScores: commandError("ERR One or more scores can't be converted into double"),

  // The region
  regionLacking: commandError(
    'BEHIND This region takes writes once it has heard a peer and holds what that one has: it is new, or its ' +
      'folder was put back from a copy. Start another region; CRDT.LINK STATUS shows how far it is. Reads work.',
  ),
  regionLate: commandError(
    'BEHIND This region takes writes in a moment: what it took while it was cut off comes first. Reads work.',
  ),
  regionEnded: commandError(
    'BEHIND This region was removed from the database, or suspended: reads work, writes go to another region',
  ),

  // Strings and numbers
  overflow: commandError('ERR increment or decrement would overflow'),
  decrementOverflow: commandError('ERR decrement would overflow'),
  notFinite: commandError('ERR increment would produce NaN or Infinity'),
  stringTooLong: commandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)'),
  offsetOutOfRange: commandError('ERR offset is out of range'),
  notStrings: commandError('ERR The specified keys must contain string values'),
  lcsLengthAndIndex: commandError('ERR If you want both the length and indexes, please just use IDX.'),
  lcsTooLarge: commandError('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len'),
  bitOffset: commandError('ERR bit offset is not an integer or out of range'),
  bitValue: commandError('ERR bit is not an integer or out of range'),
  bitArgument: commandError('ERR The bit argument must be 1 or 0.'),
  bitopNot: commandError('ERR BITOP NOT must be called with a single source key.'),
  bitfieldType: commandError(
    'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
  ),
  bitfieldOverflowType: commandError('ERR Invalid OVERFLOW type specified'),
  bitfieldReadOnly: commandError('ERR BITFIELD_RO only supports the GET subcommand'),

  // HyperLogLogs
  notHll: commandError('WRONGTYPE Key is not a valid HyperLogLog string value.'),
  corruptHll: commandError('INVALIDOBJ Corrupted HLL object detected'),

  // Hashes
  hashNotInteger: commandError('ERR hash value is not an integer'),
  hashNotFloat: commandError('ERR hash value is not a float'),
  floatNotFinite: commandError('ERR value is NaN or Infinity'),

  // Sorted sets and geo
  scoreNaN: commandError('ERR resulting score is not a number (NaN)'),
  scoreRange: commandError('ERR min or max is not a float'),
  lexRange: commandError('ERR min or max not valid string range item'),
  limitByRank: commandError(
    'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
  ),
  scoresByLex: commandError('ERR syntax error, WITHSCORES not supported in combination with BYLEX'),
  addNxXx: commandError('ERR XX and NX options at the same time are not compatible'),
  addGtLtNx: commandError('ERR GT, LT, and/or NX options at the same time are not compatible'),
  addManyIncrements: commandError('ERR INCR option supports a single increment-element pair'),
  noInputKeys: (command: string) =>
    commandError(`ERR at least 1 input key is needed for '${command}' command`),
  weightNotFloat: commandError('ERR weight value is not a float'),
  countNotPositive: commandError('ERR count should be greater than 0'),
  geoUnit: commandError('ERR unsupported unit provided. please use M, KM, FT, MI'),
  geoPlace: (longitude: string, latitude: string) =>
    commandError(`ERR invalid longitude,latitude pair ${longitude},${latitude}`),
  geoMember: commandError('ERR could not decode requested zset member'),
  geoRadius: commandError('ERR need numeric radius'),
  geoNegativeRadius: commandError('ERR radius cannot be negative'),
  geoWidth: commandError('ERR need numeric width'),
  geoHeight: commandError('ERR need numeric height'),
  geoNegativeBox: commandError('ERR height or width cannot be negative'),
  geoCount: commandError('ERR COUNT must be > 0'),
  geoAny: commandError('ERR the ANY argument requires COUNT argument'),
  geoStoreWith: (what: string) =>
    commandError(`ERR ${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`),
  geoFrom: (command: string) =>
    commandError(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${command}`),
  geoBy: (command: string) =>
    commandError(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${command}`),

  // Transactions
  nestedMulti: commandError('ERR MULTI calls can not be nested'),
  execWithoutMulti: commandError('ERR EXEC without MULTI'),
  discardWithoutMulti: commandError('ERR DISCARD without MULTI'),
  transactionTooLarge: commandError('ERR the queued commands of a transaction may take 512mb at most'),
  watchInsideMulti: commandError('ERR WATCH inside MULTI is not allowed'),
  notInsideMulti: commandError('ERR Command not allowed inside a transaction'),
  execAbort: commandError('EXECABORT Transaction discarded because of previous errors.'),
  execAbortBecause: (line: string) => commandError(`EXECABORT Transaction discarded because of: ${line}`),

  // Scripts and functions
  invalidShebang: commandError('ERR Invalid script shebang'),
  scriptCompile: (complaint: string) =>
    commandError(`ERR Error compiling script (new function): ${complaint}`),
  noScript: commandError('NOSCRIPT No matching script. Please use EVAL.'),
  negativeKeys: commandError("ERR Number of keys can't be negative"),
  badKeyCount: commandError('ERR Bad number of keys provided'),
  scriptMayWrite: commandError('ERR Can not execute a script with write flag using *_ro command.'),
  scriptOutOfMemory: commandError(
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
  ),
  scriptWrites: commandError('ERR Write commands are not allowed from read-only scripts.'),
  notFromScript: commandError('ERR This Redis command is not allowed from script'),
  scriptUnknownCommand: commandError('ERR Unknown Redis command called from script'),
  scriptWordCount: commandError('ERR Wrong number of args calling Redis command from script'),
  scriptNoPermission: (why: string) => commandError(`ERR ACL failure in script: ${why}`),
  scriptKilled: commandError('ERR Script killed: it ran longer than busy-reply-threshold allows'),
  scriptMemory: commandError('ERR Error running script: not enough memory'),
  scriptEngine: commandError('ERR Error running script: the Lua engine broke down and was started anew'),
  scriptFlushMode: commandError('ERR SCRIPT FLUSH only support SYNC|ASYNC option'),
  scriptDebugMode: commandError('ERR Use SCRIPT DEBUG YES/SYNC/NO'),
  scriptDebugger: commandError('ERR Causeway has no Lua debugger'),
  notBusy: commandError('NOTBUSY No scripts in execution right now.'),
  noFunction: commandError('ERR Function not found'),
  noLibrary: commandError('ERR Library not found'),
  functionFlushMode: commandError('ERR FUNCTION FLUSH only supports SYNC|ASYNC option'),
  missingLibraryMetadata: commandError('ERR Missing library metadata'),
  invalidLibraryMetadata: commandError('ERR Invalid library metadata'),
  libraryNamedTwice: commandError('ERR Invalid metadata value, name argument was given multiple times'),
  libraryUnnamed: commandError('ERR Library name was not given'),
  libraryName: commandError(
    'ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one ' +
      'character long',
  ),
  libraryLoad: (line: string) => commandError(line),
  libraryExists: (name: string) => commandError(`ERR Library '${name}' already exists`),
  functionExists: (name: string) => commandError(`ERR Function ${name} already exists`),
  noFunctionsRegistered: commandError('ERR No functions registered'),
  unknownLoadOption: (option: string) => commandError(`ERR Unknown option given: ${option}`),
  unknownListArgument: (word: string) => commandError(`ERR Unknown argument ${word}`),
  libraryNameMissing: commandError('ERR library name argument was not given'),
  restorePolicy: commandError(
    'ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.',
  ),
  dumpPayload: commandError('ERR DUMP payload version or checksum are wrong'),
  functionOpcode: commandError('ERR given type is not a function'),
  functionPayload: commandError('ERR failed loading functions payload'),

  // The connection
  onlySubscriber: (command: string) =>
    commandError(
      `ERR Can't execute '${command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are ` +
        'allowed in this context',
    ),
  noAuth: commandError('NOAUTH Authentication required.'),
  helloNoAuth: commandError(
    'NOAUTH HELLO must be called with the client already authenticated, otherwise the ' +
      'HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and ' +
      'select the RESP protocol version at the same time',
  ),
  wrongPass: commandError('WRONGPASS invalid username-password pair or user is disabled.'),
  noPermission: (why: string) => commandError(`NOPERM ${why}`),
  accessChanged: (line: string) =>
    commandError(
      'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. ' +
        `This command is no longer allowed for the following reason: ${line.replace(/^NOPERM /, '')}`,
    ),
  noConfigFile: commandError('ERR The server is running without a config file'),
  noAclFile: commandError(
    'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ' +
      'ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) ' +
      'in order to store users in the Redis configuration.',
  ),
  defaultUserStays: commandError("ERR The 'default' user cannot be removed"),
  aclFileWrong: (lines: readonly string[]) =>
    commandError(`ERR ${lines.join('. ')}. The file was not loaded: the users are as they were`),
  noPassword: commandError(
    'ERR AUTH <password> called without any password configured for the default user. ' +
      'Are you sure your configuration is correct?',
  ),
  noProto: commandError('NOPROTO unsupported protocol version'),
  protoNotInteger: commandError('ERR Protocol version is not an integer or out of range'),
  helloOption: (option: string) => commandError(`ERR Syntax error in HELLO option '${option}'`),
  dbOutOfRange: commandError('ERR DB index is out of range'),
  invalidFirstDb: commandError('ERR invalid first DB index'),
  invalidSecondDb: commandError('ERR invalid second DB index'),
  clientName: commandError('ERR Client names cannot contain spaces, newlines or special characters.'),
  noSuchClient: commandError('ERR No such client'),
  invalidClientId: commandError('ERR Invalid client ID'),
  unknownClientType: (type: string) => commandError(`ERR Unknown client type '${type}'`),
  clientId: commandError('ERR client-id should be greater than 0'),
  noSuchUser: (name: string) => commandError(`ERR No such user '${name}'`),
  pauseMode: commandError('ERR CLIENT PAUSE mode must be WRITE or ALL'),
  unblockReason: commandError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR'),
  unblocked: commandError('UNBLOCKED client unblocked via CLIENT UNBLOCK'),
  replyTooLong: commandError('ERR the replies that wait for this client would pass 512mb'),
  maxClients: commandError('ERR max number of clients reached'),
  // One line, as every error: Redis's advice, with our name in it and without CONFIG REWRITE, which we lack.
  protectedMode: commandError(
    'DENIED Causeway is running in protected mode because protected mode is enabled and no password is ' +
      'set for the default user. In this mode connections are only accepted from the loopback interface. ' +
      'If you want to connect from external computers to Causeway you may adopt one of the following ' +
      "solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from " +
      'the loopback interface by connecting to Causeway from the same host the server is running, however ' +
      'MAKE SURE Causeway is not publicly accessible from internet if you do so. 2) Alternatively you can ' +
      'just disable the protected mode by editing the configuration file, and setting the protected mode ' +
      "option to 'no', and then restarting the server. 3) If you started the server manually just for " +
      "testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password " +
      'for the default user (requirepass). NOTE: You only need to do one of the above things in order for ' +
      'the server to start accepting connections from the outside.',
  ),

  // The cluster
  clusterOff: commandError('ERR This instance has cluster support disabled'),
  moved: (slot: number, host: string, port: number) => commandError(`MOVED ${slot} ${host}:${port}`),
  crossSlot: commandError("CROSSSLOT Keys in request don't hash to the same slot"),
  slotNotServed: commandError('CLUSTERDOWN Hash slot not served'),
  scriptNotLocal: commandError('ERR Script attempted to access a non local key in a cluster node'),
  notInCluster: (command: string) => commandError(`ERR ${command} is not allowed in cluster mode`),
  replicaOfInCluster: commandError('ERR REPLICAOF not allowed in cluster mode.'),
  copyInCluster: commandError('ERR Copying to another database is not allowed in cluster mode'),
  sortInCluster: (option: string) => commandError(`ERR ${option} option of SORT denied in Cluster mode.`),
  invalidSlot: commandError('ERR Invalid slot'),
  invalidSlotOrCount: commandError('ERR Invalid slot or number of keys'),
  unknownNode: (id: string) => commandError(`ERR Unknown node ${id}`),
  nodeIsNoPrimary: commandError('ERR The specified node is not a master'),
  failoverOfPrimary: commandError('ERR You should send CLUSTER FAILOVER to a replica'),
  failoverOfNobody: commandError("ERR I'm a replica but my master is unknown to me"),
  failoverOfDead: commandError('ERR Master is down or failed, please use CLUSTER FAILOVER FORCE'),
  failoverByForce: commandError(
    'ERR A node takes over by itself when the coordinator says that its primary is gone; CLUSTER FAILOVER without ' +
      'an option hands over from a primary that is there',
  ),
  forgetOfMyself: commandError("ERR I tried hard but I can't forget myself..."),
  notForgotten: (reason: string) => commandError(`ERR ${reason}`),
  clusterByOperator: (subcommand: string) =>
    commandError(`ERR CLUSTER ${subcommand} is not for clients here: 'causeway cluster' does this`),
  noSuchMaster: commandError('ERR No such master with that name'),

  // The proxy
  linkLost: commandError(
    'ERR The connection to the node that serves this was lost: the command may have been executed, or not',
  ),
  notServed: commandError('CLUSTERDOWN No primary serves this partition: the command was not executed'),
  notInTransaction: (command: string) =>
    commandError(`ERR '${command}' concerns every partition, and a transaction runs in one of them`),
  trackingRedirect: commandError(
    'ERR CLIENT TRACKING with REDIRECT does not work by way of a proxy: use RESP3, or connect to the nodes',
  ),

  // The node is short of something
  outOfMemory: commandError("OOM command not allowed when used memory > 'maxmemory'."),
  diskFull: commandError(
    'MISCONF Errors writing to the log: the disk is full, so commands that may modify the data set are ' +
      'disabled. Make room on the disk of the data folder: writes then resume by themselves.',
  ),
  readOnlyReplica: commandError("READONLY You can't write against a read only replica."),
  passiveRegion: commandError(
    'READONLY This region is passive, at the word of its operator: it serves reads and takes no writes. Write in ' +
      "an active region, or make this one active with 'causeway region promote'.",
  ),
  noReplicas: commandError('NOREPLICAS Not enough good replicas to write.'),
  clusterDown: commandError('CLUSTERDOWN The cluster is down'),
  unblockedByRole: commandError(
    'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  ),
  loading: commandError('LOADING Causeway is loading the dataset in memory'),
} as const

export const protocolErrors = {
  hugeInline: protocolError('too big inline request'),
  unbalancedQuotes: protocolError('unbalanced quotes in request'),
  hugeArrayHeader: protocolError('too big mbulk count string'),
  badArrayLength: protocolError('invalid multibulk length'),
  unauthenticatedArrayLength: protocolError('unauthenticated multibulk length'),
  hugeBulkHeader: protocolError('too big bulk count string'),
  notABulk: (byte: number) => protocolError(`expected '$', got '${String.fromCharCode(byte)}'`),
  badBulkLength: protocolError('invalid bulk length'),
  unauthenticatedBulkLength: protocolError('unauthenticated bulk length'),
  // Redis closes without a word in these two cases; a text is kinder to whoever debugs it.
  hugeQuery: protocolError('unfinished request exceeds client-query-buffer-limit'),
  http: protocolError('this is a Redis port, not a web server'),
} as const
