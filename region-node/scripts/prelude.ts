/**
 * prelude.ts: the Lua that is run once in a new machine, before its globals are locked and any script is run.
 *
 * The engine brings Lua 5.1 with Redis's libraries, a way to call the host, and a translation of values. What
 * Redis 7.2 has beyond that is added here, in Lua: chunks compiled once and kept, libraries of functions, errors
 * as tables with the line they came from, numbers passed to commands with all their digits, replies of every
 * RESP3 type, and what the libraries do elsewhere with 64-bit longs.
 *
 * A function here that a script calls must not be seen in the script's errors: positions that name this text
 * ("causeway:") are replaced by those of the script.
 *
 * `__causeway` is how the host gets in. A script that finds it can do nothing with it: it works only while no
 * script runs.
 *
 * Source: eval.c, function_lua.c and script_lua.c of Redis 7.2 for what is answered.
 */

import { REDIS_VERSION } from '../redis-version.ts'

/** What the engine's own limit on instructions raises; the host raises the same for its limit on time. */
export const KILLED = 'Script killed by fuel limit'
/** The digits of a big number that stands for nil: the engine's values know no other nil inside an array. */
export const NIL_DIGITS = '\x01nil'

const LUA = `
local rawcall, setresp, rawlog, sha1hex = redis.pcall, redis.setresp, redis.log, redis.sha1hex
local pcall, xpcall, error, type, tostring, tonumber = pcall, xpcall, error, type, tostring, tonumber
local select, pairs, next, unpack, loadstring, setmetatable = select, pairs, next, unpack, loadstring, setmetatable
local resume, rawget = coroutine.resume, rawget
local find, sub, match, gsub, format = string.find, string.sub, string.match, string.gsub, string.format
local floor = math.floor
local globals = _G

local KILLED = '${KILLED}'

-- Errors.

local function fail(line) error({ err = line }, 0) end

local function isEnd(err) return type(err) == 'string' and find(err, KILLED, 1, true) ~= nil end

-- The error as a script may see it. Only its own end by force it may not: that is raised again.
local function translate(err)
  if type(err) ~= 'string' then return err end
  if isEnd(err) then error(KILLED, 0) end
  local at, _, name = find(err, '__RLUA_E__:global%-read:(.*)$')
  if at == nil then return err end
  return sub(err, 1, at - 1) .. "Script attempted to access nonexistent global variable '" .. name .. "'"
end

local function withoutPosition(err)
  if type(err) ~= 'string' then return err end
  return (gsub(err, '^causeway:%d+: ', ''))
end

-- Redis's pcall gives the text of an error that is a table like those of redis.call.
local function caught(ok, err, ...)
  if ok then return true, err, ... end
  err = withoutPosition(translate(err))
  if type(err) == 'table' and type(err.err) == 'string' then err = err.err end
  return false, err
end

local function resumed(ok, err, ...)
  if ok then return true, err, ... end
  return false, withoutPosition(translate(err))
end

globals.pcall = function(...) return caught(pcall(...)) end
globals.xpcall = function(run, handle)
  return resumed(xpcall(run, function(err)
    -- What is raised in a handler is lost.
    if isEnd(err) then return err end
    return handle(translate(err))
  end))
end
globals.coroutine.resume = function(...) return resumed(resume(...)) end

-- Where the innermost line of a script is that runs now: source and line, or nothing.
local function where()
  for level = 4, 40 do
    local _, position = pcall(error, '', level)
    local source, line = match(position, '^(.*):(%d+): $')
    if source and source ~= 'causeway' then return source, line end
  end
end

-- The error handler of every script. Runs where the error was raised.
local function describe(raised)
  if isEnd(raised) then return { killed = true } end
  local err = translate(raised)
  local source, line = where()
  if type(err) == 'string' then
    err = gsub(err, '^causeway:%d+: ', source and function() return source .. ':' .. line .. ': ' end or '')
  end
  local text
  if type(err) == 'table' then text = rawget(err, 'err') else text = 'ERR ' .. tostring(err) end
  -- The name of a chunk that a script made itself is its text.
  if source then source = match(source, '^%[string "(.*)"%]$') or '@' .. source end
  return { text = type(text) == 'string' and text or 'ERR unknown error', source = source, line = line }
end

local function failure(name, err)
  -- Not from describe: there was no memory to run it in.
  if type(err) ~= 'table' then error(err, 0) end
  if err.killed then error(KILLED, 0) end
  if err.line == nil then return { err = err.text } end
  return { err = err.text .. ' script: ' .. name .. ', on ' .. err.source .. ':' .. err.line .. '.' }
end

-- Replies. The engine converts most values as Redis does; a reply that holds another is made anew.

local INTEGER_MAX, INTEGER_MIN = 2 ^ 63, -2 ^ 63
local NIL = { big_number = '\\001nil' }
local protocol = 2
-- Of tables in tables; about where Redis gives up too.
local DEPTH_MAX = 1000

local TYPED = { err = true, ok = true, double = true, map = true, set = true, big_number = true, verbatim_string = true }

local function isPlain(value, depth)
  local kind = type(value)
  if kind == 'string' or kind == 'boolean' or kind == 'nil' then return true end
  if kind == 'number' then return value > INTEGER_MIN and value < INTEGER_MAX end
  if kind ~= 'table' or depth > DEPTH_MAX then return false end
  for name in pairs(TYPED) do if rawget(value, name) ~= nil then return false end end
  local i = 1
  local item = rawget(value, 1)
  while item ~= nil do
    if type(item) ~= 'string' and not isPlain(item, depth + 1) then return false end
    i = i + 1
    item = rawget(value, i)
  end
  return true
end

local function oneLine(text) return (gsub(match(text, '^[^%z]*'), '[\\r\\n]', ' ')) end

local made

local function madeTable(value, depth)
  if depth > DEPTH_MAX then fail('ERR reached lua stack limit') end
  local field = rawget(value, 'err')
  if type(field) == 'string' then return { err = oneLine(field) } end
  field = rawget(value, 'ok')
  if type(field) == 'string' then return { ok = oneLine(field) } end
  field = rawget(value, 'double')
  if type(field) == 'number' then return { double = field } end
  field = rawget(value, 'map')
  if type(field) == 'table' then
    local map = {}
    for key, item in next, field do map[made(key, depth)] = made(item, depth) end
    return { map = map }
  end
  field = rawget(value, 'set')
  if type(field) == 'table' then
    local set = {}
    for key in next, field do set[made(key, depth)] = true end
    return { set = set }
  end
  field = rawget(value, 'big_number')
  if type(field) == 'string' then return { big_number = oneLine(field) } end
  field = rawget(value, 'verbatim_string')
  if type(field) == 'table' then
    local kind, text = rawget(field, 'format'), rawget(field, 'string')
    if type(kind) == 'string' and type(text) == 'string' then
      return { verbatim_string = { format = sub(kind .. '   ', 1, 3), string = text } }
    end
  end
  local array = {}
  local i = 1
  local item = rawget(value, 1)
  while item ~= nil do
    array[i] = made(item, depth)
    i = i + 1
    item = rawget(value, i)
  end
  return array
end

-- Made for an engine in RESP3, in which booleans stay what they are.
function made(value, depth)
  local kind = type(value)
  if kind == 'string' then return value end
  if kind == 'number' then
    return value > INTEGER_MIN and value < INTEGER_MAX and value or INTEGER_MIN
  end
  if kind == 'boolean' then
    if protocol == 3 then return value end
    return value and 1 or NIL
  end
  if kind == 'table' then return madeTable(value, depth + 1) end
  return NIL
end

local function reply(value)
  if isPlain(value, 0) then return value end
  local ok, answer = pcall(made, value, 0)
  if not ok and type(answer) ~= 'table' then error(answer, 0) end
  setresp(3)
  return answer
end

-- Commands.

-- A number as text that reads back as the same: integers in full, others in as few digits as that takes.
local function digits(number)
  if number == floor(number) and number > -2 ^ 53 and number < 2 ^ 53 then return format('%.0f', number) end
  for precision = 15, 17 do
    local text = format('%.' .. precision .. 'g', number)
    if tonumber(text) == number then return (gsub(text, 'e([+-])0', 'e%1')) end
  end
  return tostring(number)
end

local function wordsOf(...)
  local count = select('#', ...)
  if count == 0 then fail('ERR Please specify at least one argument for this redis lib call') end
  local words, hasNumber = { ... }, false
  for i = 1, count do
    local word = words[i]
    if type(word) ~= 'string' then
      if type(word) ~= 'number' then fail('ERR Lua redis lib command arguments must be strings or integers') end
      words[i] = digits(word)
      hasNumber = true
    end
  end
  if hasNumber then return unpack(words, 1, count) end
  return ...
end

-- In RESP3 a null is Lua's nil. The engine makes false of it, and no command that scripts call answers false.
local function withNils(value)
  if value == false then return nil end
  if type(value) == 'table' then
    for key, item in next, value do value[key] = withNils(item) end
  end
  return value
end

local function checked(reply)
  if protocol == 3 then reply = withNils(reply) end
  if type(reply) == 'table' and reply.err then
    if reply.err == KILLED then error(KILLED, 0) end
    reply.ignore_error_stats_update = true
    return reply, true
  end
  return reply, false
end

-- What scripts call most, a few words that are strings, is passed on as it comes: no table is made.
local function send(...)
  local count = select('#', ...)
  if count > 0 and count < 4 then
    local a, b, c = ...
    if type(a) == 'string' and (count < 2 or type(b) == 'string') and (count < 3 or type(c) == 'string') then
      return rawcall(...)
    end
  end
  return rawcall(wordsOf(...))
end

redis.call = function(...)
  local reply = send(...)
  if protocol == 2 and type(reply) ~= 'table' then return reply end
  local isError
  reply, isError = checked(reply)
  if isError then error(reply, 0) end
  return reply
end

redis.pcall = function(...)
  local ok, reply = pcall(send, ...)
  if not ok and type(reply) ~= 'table' then error(reply, 0) end
  return (checked(reply))
end

-- The rest of the table redis.

local function single(field, line)
  return function(...)
    local text = ...
    if select('#', ...) ~= 1 or type(text) ~= 'string' then
      return { err = 'ERR wrong number or type of arguments' }
    end
    return { [field] = line(text) }
  end
end
redis.status_reply = single('ok', function(text) return text end)
redis.error_reply = single('err', function(text)
  if sub(text, 1, 1) == '-' then text = sub(text, 2) end
  return find(text, ' ', 1, true) and text or 'ERR ' .. text
end)

redis.sha1hex = function(...)
  if select('#', ...) ~= 1 then fail('ERR wrong number of arguments') end
  local text = ...
  local kind = type(text)
  return sha1hex((kind == 'string' or kind == 'number') and tostring(text) or '')
end

redis.log = function(...)
  local level = ...
  if select('#', ...) < 2 then fail('ERR redis.log() requires two arguments or more.') end
  level = tonumber(level)
  if level == nil then fail('ERR First argument must be a number (log level).') end
  if level < 0 or level > 3 then fail('ERR Invalid debug level.') end
  local text = ''
  for i = 2, select('#', ...) do
    local part = select(i, ...)
    if type(part) == 'string' or type(part) == 'number' then
      text = text == '' and tostring(part) or text .. ' ' .. part
    end
  end
  rawlog(level, text)
end

redis.setresp = function(...)
  if select('#', ...) ~= 1 then fail('ERR redis.setresp() requires one argument.') end
  local version = tonumber((...))
  if version ~= 2 and version ~= 3 then fail('ERR RESP version must be 2 or 3.') end
  protocol = version
  setresp(version)
end

redis.set_repl = function(...)
  if select('#', ...) ~= 1 then fail('ERR redis.set_repl() requires two arguments.') end
  local flags = tonumber((...)) or 0
  if flags < 0 or flags > 3 then
    fail('ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
  end
end
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3
redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = '${REDIS_VERSION}', ${versionNumber(REDIS_VERSION)}
redis.replicate_commands = function() return true end
redis.breakpoint = function() return false end
redis.debug = function() end

redis.acl_check_cmd = function(...)
  local reply = rawcall('\\000acl', wordsOf(...))
  if type(reply) == 'table' then fail(reply.err) end
  return reply == 1
end

-- The libraries, where a program of 32 bits or a newer release differs from what scripts know.

cjson.decode_array_with_array_mt = nil

local WIDE = { l = 'i8', L = 'I8', T = 'I8' }
local function widened(layout)
  if type(layout) == 'string' then return (gsub(layout, '[lLT]', WIDE)) end
  return layout
end
-- Called by these names, which stand in their errors.
local narrow = { pack = struct.pack, unpack = struct.unpack, size = struct.size }
struct.pack = function(layout, ...) return narrow.pack(widened(layout), ...) end
struct.unpack = function(layout, ...) return narrow.unpack(widened(layout), ...) end
struct.size = function(layout) return narrow.size(widened(layout)) end

-- Redis's random numbers: those of drand48, x = x * 0x5deece66d + 11 in 48 bits, here in two halves of 24.
local high, low = 0x1234ab, 0xcd330e
local HALF = 2 ^ 24
local RANDOM_MAX = 2 ^ 31 - 1

local function random31()
  local product = low * 0xece66d + 11
  high = (high * 0xece66d + low * 0x5de + floor(product / HALF)) % HALF
  low = product % HALF
  return high * 2 ^ 7 + floor(low / 2 ^ 17)
end

math.randomseed = function(seed)
  seed = tonumber(seed)
  if seed == nil then error("bad argument #1 to 'randomseed' (number expected)", 2) end
  seed = (seed < 0 and -floor(-seed) or floor(seed)) % 2 ^ 32
  high, low = floor(seed / 2 ^ 8), seed % 2 ^ 8 * 2 ^ 16 + 0x330e
end

math.random = function(...)
  local draw = random31() % RANDOM_MAX / RANDOM_MAX
  local count = select('#', ...)
  if count == 0 then return draw end
  if count > 2 then error('wrong number of arguments', 2) end
  local from, to = 1, ...
  if count == 2 then from, to = ... end
  from, to = tonumber(from), tonumber(to)
  if from == nil or to == nil then error("bad argument #1 to 'random' (number expected)", 2) end
  if from > to then error("bad argument #" .. count .. " to 'random' (interval is empty)", 2) end
  return floor(draw * (to - from + 1)) + from
end

-- Scripts and libraries.

local libraries, loading, busy = {}, nil, false
local run, keys, args

-- To C a number is a string.
local function textOf(value)
  if type(value) == 'string' or type(value) == 'number' then return tostring(value) end
end

local KNOWN_FLAGS = {
  ['no-writes'] = true, ['allow-oom'] = true, ['allow-stale'] = true, ['no-cluster'] = true,
  ['allow-cross-slot-keys'] = true,
}

local function register_function(...)
  local count = select('#', ...)
  local entry = {}
  if count == 1 then
    local named = ...
    if type(named) ~= 'table' then
      fail('ERR calling redis.register_function with a single argument is only applicable to Lua table ' ..
        '(representing named arguments).')
    end
    for key, value in pairs(named) do
      if key == 'function_name' then
        value = textOf(value)
        if value == nil then
          fail('ERR function_name argument given to redis.register_function must be a string')
        end
        entry.name = value
      elseif key == 'description' then
        value = textOf(value)
        if value == nil then
          fail('ERR description argument given to redis.register_function must be a string')
        end
        entry.description = value
      elseif key == 'callback' then
        if type(value) ~= 'function' then
          fail('ERR callback argument given to redis.register_function must be a function')
        end
        entry.run = value
      elseif key == 'flags' then
        if type(value) ~= 'table' then
          fail('ERR flags argument to redis.register_function must be a table representing function flags')
        end
        for i = 1, #value do if not KNOWN_FLAGS[value[i]] then fail('ERR unknown flag given') end end
        entry.flags = value
      else
        fail('ERR unknown argument given to redis.register_function')
      end
    end
    if entry.name == nil then fail('ERR redis.register_function must get a function name argument') end
    if entry.run == nil then fail('ERR redis.register_function must get a callback argument') end
  elseif count == 2 then
    entry.name, entry.run = ...
    entry.name = textOf(entry.name)
    if entry.name == nil then fail('ERR first argument to redis.register_function must be a string') end
    if type(entry.run) ~= 'function' then
      fail('ERR second argument to redis.register_function must be a function')
    end
  else
    fail('ERR wrong number of arguments to redis.register_function')
  end
  if not match(entry.name, '^[%w_]+$') then
    fail('ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one ' ..
      'character long')
  end
  if loading[entry.name] then fail('ERR Function already exists in the library') end
  loading[entry.name] = entry
  loading[#loading + 1] = entry
end

setmetatable(redis, {
  __index = function(_, name)
    if loading and name == 'register_function' then return register_function end
  end,
})

local verbs = {}

-- Compiles a source. Answers true, or what is wrong with it. The script runs by the verb of that number.
function verbs.compile(words)
  local source, number, sha = words[1], words[2], words[3]
  local chunk, err = loadstring(source, '@user_script')
  if chunk == nil then return err end
  verbs[number] = function()
    local ok, value = xpcall(chunk, describe)
    if ok then return reply(value) end
    return failure(sha, value)
  end
  return true
end

function verbs.forget(words)
  verbs[words[1]] = nil
  return true
end

-- Runs a source, which registers functions. Answers name, description (or false) and flags of each.
function verbs.library(words)
  local source, name = words[1], words[2]
  libraries[name] = nil
  local chunk, err = loadstring(source, '@user_function')
  if chunk == nil then return { err = 'ERR Error compiling function: ' .. err } end
  loading = {}
  local ok, raised = xpcall(chunk, describe)
  local found = loading
  loading = nil
  if not ok then
    if type(raised) ~= 'table' then error(raised, 0) end
    if raised.killed then error(KILLED, 0) end
    return { err = 'ERR Error registering functions: ' .. raised.text }
  end
  libraries[name] = found
  local list = {}
  for i = 1, #found do
    local entry = found[i]
    list[i] = { entry.name, entry.description or false, entry.flags or {} }
  end
  return list
end

local function apply() return (run(keys, args)) end

verbs['function'] = function(words, count)
  local library, name = words[count - 1], words[count]
  words[count - 1], words[count] = nil, nil
  run, keys, args = libraries[library][name].run, globals.KEYS, words
  local ok, value = xpcall(apply, describe)
  if ok then return reply(value) end
  return failure(name, value)
end

-- pairs() of the globals shows this name. It is deaf while a script runs, and only then is there anybody to call.
-- The last of ARGV is the verb: the text that calls this is compiled each time, and a constant in it costs more.
globals.__causeway = function()
  if busy then error("Script attempted to access nonexistent global variable '__causeway'", 2) end
  busy, protocol = true, 2
  local words = globals.ARGV
  local count = #words
  local verb = verbs[words[count]]
  words[count] = nil
  local answer = verb(words, count - 1)
  busy = false
  return answer
end
`

/** 7.2.4 as 0x070204. */
function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return (major << 16) | (minor << 8) | patch
}

/** What the machine evaluates: the text is compiled under a name of its own, so that its lines are told from a script's. */
export const PRELUDE = `assert(loadstring([=====[${LUA}]=====], '=causeway'))()`
