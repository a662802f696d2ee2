# A web program as tests run it, at port 9000: it tells what it was asked, echoes, streams, and misbehaves on demand.
import base64, hashlib, http.server, json, time

PAGE = """<!doctype html><meta name=viewport content="width=device-width"><title>Counter</title>
<style>body{font:18px system-ui;margin:32px}button{font:inherit;padding:12px 20px}</style>
<h1>A page of its own</h1><button onclick="ask()">Ask</button><p id=out>nothing yet</p>
<script>async function ask(){const said=await(await fetch("/echo",{method:"POST",body:"by fetch"})).text();
const socket=new WebSocket("wss://"+location.host+"/socket");socket.onopen=()=>socket.send("by socket");
socket.onmessage=e=>{document.getElementById("out").textContent=said+", "+e.data}}</script>"""
HOSTILE = [("Strict-Transport-Security", "max-age=9"), ("Clear-Site-Data", '"*"'), ("Alt-Svc", 'h2=":1"'),
           ("Set-Cookie", "__Host-hearth=stolen; Secure; Path=/"), ("Set-Cookie", "=__Host-hearth=stolen"),
           ("Set-Cookie", "sid=secret; HttpOnly; Domain=localhost"), ("Set-Cookie", "seen=yes; Path=/"),
           ("Service-Worker-Allowed", "/"), ("Cache-Control", "max-age=9"), ("Connection", "X-Hop"), ("X-Hop", "1")]
RAW = {"/both": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "/more": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
       "/long": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99999 + b"\r\n\r\n", "/nonsense": b"hello\r\n\r\n",
       "/less": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nless"}

class Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = "HTTP/1.1"
  def log_message(self, *_):
    pass
  def say(self, body, kind="text/plain", status=200, headers=()):
    self.send_response(status)
    for name, value in headers: self.send_header(name, value)
    self.send_header("Content-Type", kind)
    self.send_header("Content-Length", len(body))
    self.end_headers()
    if self.command != "HEAD": self.wfile.write(body)
  def body(self):
    if self.headers.get("Transfer-Encoding") != "chunked":
      return self.rfile.read(int(self.headers.get("Content-Length", 0)))
    said = b""
    while size := int(self.rfile.readline(), 16):
      said += self.rfile.read(size)
      self.rfile.readline()
    self.rfile.readline()
    return said
  def do_POST(self):
    self.say(self.body())
  def do_GET(self):
    path = self.path.split("?")[0]
    if path == "/": return self.say(PAGE.encode(), "text/html")
    if path == "/hostile": return self.say(b"", headers=HOSTILE)
    if path == "/away": return self.say(b"", status=302, headers=[("Location", "http://localhost:9000/told?a")])
    if path in RAW:
      self.close_connection = True
      return self.wfile.write(RAW[path])
    if path == "/events": return self.events()
    if path == "/socket": return self.socket()
    self.say(json.dumps({"path": self.path, "headers": self.headers.items()}).encode(), "application/json")
  do_HEAD = do_GET
  def events(self):
    self.close_connection = True
    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
    time.sleep(9999)
  def socket(self):
    key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    self.send_response(101)
    for pair in [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]:
      self.send_header(*pair)
    self.end_headers()
    while len(head := self.rfile.read(2)) == 2 and head[0] & 15 < 8:
      mask = self.rfile.read(4)
      said = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(head[1] & 127)))
      self.wfile.write(bytes([head[0], len(said)]) + said)
    self.close_connection = True

http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Handler).serve_forever()
