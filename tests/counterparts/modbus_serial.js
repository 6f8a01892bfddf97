// modbus-serial (npm) as a PLC and as a client of PLCs; one JSON a line in and out.
//   node modbus_serial.js serve PORT        {"set": {"holding": {"10": 5}}}   {"get": ["holding", 10, 2]}
//   node modbus_serial.js ask PORT tcp|rtu  {"read": ["holding", 10, 2]}      {"write": [6, 10, [5]]}
import readline from "node:readline";
import ModbusRTU from "modbus-serial";

const [role, port, framing] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin });
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const tables = { holding: {}, input: {}, coil: {}, discrete: {} };
const cell = (table) => (address) => tables[table][address] ?? 0;
const range = (table, address, count) => Array.from({ length: count }, (_, i) => cell(table)(address + i));

function serve() {
  const write = (table) => (address, value) => { tables[table][address] = Number(value); };
  const plc = {
    getHoldingRegister: cell("holding"),
    getInputRegister: cell("input"),
    getCoil: (address) => Boolean(cell("coil")(address)),
    getDiscreteInput: (address) => Boolean(cell("discrete")(address)),
    setRegister: write("holding"),
    setCoil: write("coil"),
  };
  const server = new ModbusRTU.ServerTCP(plc, { host: "127.0.0.1", port: Number(port), unitID: 1 });
  server.on("initialized", () => say("listening"));
  lines.on("line", (line) => {
    const { set, get } = JSON.parse(line);
    for (const [table, cells] of Object.entries(set ?? {})) Object.assign(tables[table], cells);
    say(get ? range(...get) : "ok");
  });
}

async function ask() {
  const client = new ModbusRTU();
  const options = { port: Number(port) };
  await (framing === "rtu" ? client.connectTelnet("127.0.0.1", options) : client.connectTCP("127.0.0.1", options));
  client.setID(1);
  client.setTimeout(2000);
  say("listening");
  const read = {
    holding: (address, count) => client.readHoldingRegisters(address, count),
    input: (address, count) => client.readInputRegisters(address, count),
    coil: (address, count) => client.readCoils(address, count),
    discrete: (address, count) => client.readDiscreteInputs(address, count),
  };
  const write = {
    5: (address, [value]) => client.writeCoil(address, Boolean(value)),
    6: (address, [value]) => client.writeRegister(address, value),
    15: (address, values) => client.writeCoils(address, values.map(Boolean)),
    16: (address, values) => client.writeRegisters(address, values),
  };
  for await (const line of lines) {
    const order = JSON.parse(line);
    try {
      if (order.read) {
        const [table, address, count] = order.read;
        say((await read[table](address, count)).data.slice(0, count).map(Number));
      } else {
        const [code, address, values] = order.write;
        await write[code](address, values);
        say("ok");
      }
    } catch (error) {
      say({ error: error.modbusCode ?? error.message });
    }
  }
  client.close();
}

lines.on("close", () => process.exit(0));
await (role === "serve" ? serve() : ask());
