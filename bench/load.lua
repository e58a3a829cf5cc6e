-- wrk: send GET PATH with the Authorization headers of a file in turn; a line may have a form
-- behind a tab, which is then posted.
-- wrk ... -s load.lua URL -- FILE PATH
local requests, next_one = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local header, form = line:match("^(.-)\t(.*)$")
    if form then
      local headers = { Authorization = header, ["Content-Type"] = "application/x-www-form-urlencoded" }
      requests[#requests + 1] = wrk.format("POST", arguments[2], headers, form)
    else
      requests[#requests + 1] = wrk.format("GET", arguments[2], { Authorization = line })
    end
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout
  ))
end
