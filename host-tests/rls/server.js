// Envoy's rate-limit service: rate-limiter-flexible on Redis behind gRPC.
// node server.js REDIS_SOCKET REQUESTS_PER_MINUTE; prints its port, then what it is asked.
'use strict';
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const { Redis } = require('ioredis');
const { RateLimiterRedis, RateLimiterRes } = require('rate-limiter-flexible');

const [socket, perMinute] = process.argv.slice(2);
const points = Number(perMinute);
// Without the queue a Redis that is away fails at once.
const store = new Redis(socket, { enableOfflineQueue: false });
store.on('error', (error) => console.error(error.message));
const limiter = new RateLimiterRedis({
  storeClient: store,
  keyPrefix: 'hookgate',
  points,
  duration: 60,
});

async function status(domain, descriptor, hits) {
  const key = JSON.stringify([domain, descriptor.entries.map(({ key, value }) => [key, value])]);
  const settled = await limiter.consume(key, hits).then(
    (state) => ({ code: 'OK', state }),
    (state) => {
      // Anything else means that Redis failed: Envoy decides what to do without us.
      if (!(state instanceof RateLimiterRes)) throw state;
      return { code: 'OVER_LIMIT', state };
    },
  );
  const seconds = Math.ceil(settled.state.msBeforeNext / 1000);
  return {
    code: settled.code,
    current_limit: { requests_per_unit: points, unit: 'MINUTE' },
    limit_remaining: settled.state.remainingPoints,
    duration_until_reset: { seconds },
  };
}

async function shouldRateLimit({ request }, done) {
  console.log(JSON.stringify(request));
  try {
    const hits = request.hits_addend || 1;
    const each = request.descriptors.map((descriptor) => status(request.domain, descriptor, hits));
    const statuses = await Promise.all(each);
    const over = statuses.some(({ code }) => code === 'OVER_LIMIT');
    done(null, { overall_code: over ? 'OVER_LIMIT' : 'OK', statuses });
  } catch (error) {
    done({ code: grpc.status.UNAVAILABLE, details: String(error) });
  }
}

const definition = loader.loadSync(`${__dirname}/rls.proto`, {
  keepCase: true,
  enums: String,
  defaults: true,
  arrays: true,
});
const { RateLimitService } = grpc.loadPackageDefinition(definition).envoy.service.ratelimit.v3;
const server = new grpc.Server();
server.addService(RateLimitService.service, { ShouldRateLimit: shouldRateLimit });
store.once('ready', () => {
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
});
