// Vault's KV version 2, as far as the gate asks it: one secret behind a token, over TLS.
// node server.js FOLDER TOKEN; prints its port, then a line for each request.
'use strict';
const fs = require('fs');
const https = require('https');

const [folder, token] = process.argv.slice(2);
const read = (name) => fs.readFileSync(`${folder}/${name}`);

function answer({ method, url, headers }) {
  if (headers['x-vault-token'] !== token) return [403, { errors: ['permission denied'] }];
  if (method !== 'GET' || url !== '/v1/secret/data/hookgate') return [404, { errors: [] }];
  return [200, { data: { data: JSON.parse(read('keyring.json')), metadata: { version: 1 } } }];
}

const server = https.createServer({ cert: read('vault.crt'), key: read('vault.key') });
server.on('request', (request, response) => {
  const [status, body] = answer(request);
  console.log(status);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
