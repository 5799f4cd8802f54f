// What one message costs in the codec: header in, record built, answer out.
//     ninja -C build codec_bench && build/bench/codec_bench
#include "protocol/answers.hpp"
#include "protocol/message_id.hpp"
#include "protocol/stored_message.hpp"
#include "protocol/tags.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <string>

namespace {

using namespace holdfast;
using namespace holdfast::protocol;

// As the Java 4.9.8 client writes it, properties escaped by fastjson.
constexpr std::string_view java_send_header =
    R"({"code":310,"extFields":{"a":"please_rename_unique_group_name","b":"TopicTest","c":"TBW102","d":"4","e":"2","f":"0","g":"1795439569807","h":"0","i":"KEYS\u0001OrderID188\u0002UNIQ_KEY\u00017F0000010A2B18B4AAC26E0A6F4A0000\u0002WAIT\u0001true\u0002TAGS\u0001TagA","j":"0","k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":4711,"serializeTypeCurrentRPC":"JSON","version":409})";

frame_view frame_of(serialize_type dialect, byte_view header) {
    return {.serialize = dialect,
            .header = header,
            .body = {},
            .size = header.size() + limits::frame_prefix_bytes};
}

std::string binary_send_header() {
    remoting_command command;
    const auto outcome = command.decode(frame_of(serialize_type::json, as_bytes(java_send_header)));
    HOLDFAST_CHECK(outcome.ok());
    byte_buffer out;
    append_send_message(out, {.opaque = 4711, .serialize = serialize_type::binary},
                        *decode_send_message(command));
    return std::string{as_text(out.view().subspan(limits::frame_prefix_bytes))};
}

void decode_send(benchmark::State& state, serialize_type dialect, std::string_view header) {
    remoting_command command;
    for (auto _ : state) {
        const auto outcome = command.decode(frame_of(dialect, as_bytes(header)));
        benchmark::DoNotOptimize(outcome.ok());
        const auto request = decode_send_message(command);
        benchmark::DoNotOptimize(request->topic.data());
    }
    state.counters["header_bytes"] = static_cast<double>(header.size());
}

void json_header_only(benchmark::State& state) {
    remoting_command command;
    for (auto _ : state) {
        const auto outcome = command.decode(frame_of(serialize_type::json, as_bytes(java_send_header)));
        benchmark::DoNotOptimize(outcome.ok());
    }
}
BENCHMARK(json_header_only);

void json_send_request(benchmark::State& state) {
    decode_send(state, serialize_type::json, java_send_header);
}
BENCHMARK(json_send_request);

void binary_send_request(benchmark::State& state) {
    const std::string header = binary_send_header();
    decode_send(state, serialize_type::binary, header);
}
BENCHMARK(binary_send_request);

void send_answer(benchmark::State& state, serialize_type dialect) {
    byte_buffer out{4096};
    std::array<char, message_id_chars> id{};
    std::int64_t offset = 1'000'000;
    for (auto _ : state) {
        out.clear();
        write_message_id(id.data(), {.address = 0x7F000001, .port = 10911}, log_position{1ULL << 33U});
        append_send_answer(
            out, {.opaque = 4711, .serialize = dialect},
            {.message_id = {id.data(), id.size()}, .queue_id = 2, .offset = queue_offset{++offset}});
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK_CAPTURE(send_answer, json, serialize_type::json);
BENCHMARK_CAPTURE(send_answer, binary, serialize_type::binary);

void pull_answer_header(benchmark::State& state) {
    byte_buffer out{4096};
    for (auto _ : state) {
        out.clear();
        append_pull_answer(out, {.opaque = 4711}, response_code::success, "FOUND",
                           {.next_begin_offset = queue_offset{1000032}, .max_offset = queue_offset{2000000}},
                           32768);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(pull_answer_header);

void stored_message_build(benchmark::State& state) {
    const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
    const std::string properties = "KEYS\x01OrderID188\x02UNIQ_KEY\x01"
                                   "7F0000010A2B18B4AAC26E0A6F4A0000\x02WAIT\x01true\x02TAGS\x01TagA";
    byte_buffer out{8192};
    stored_message message;
    message.body = as_bytes(body);
    message.topic = "TopicTest";
    message.properties = properties;
    message.more_properties = "CLUSTER\x01"
                              "DefaultCluster\x02";
    for (auto _ : state) {
        out.clear();
        write_stored_message(out.extend(message.size()), message);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(stored_message_build)->Arg(100)->Arg(1024);

void stored_message_decode(benchmark::State& state) {
    const std::string body(1024, 'x');
    stored_message message;
    message.body = as_bytes(body);
    message.topic = "TopicTest";
    message.properties = "KEYS\x01OrderID188\x02TAGS\x01TagA\x02";
    std::string record(message.size(), '\0');
    write_stored_message(reinterpret_cast<std::byte*>(record.data()), message);
    for (auto _ : state) {
        const auto view = decode_stored_message(as_bytes(record));
        benchmark::DoNotOptimize(view->topic.data());
    }
}
BENCHMARK(stored_message_decode);

void find_tags_and_hash(benchmark::State& state) {
    const std::string properties = "KEYS\x01OrderID188\x02UNIQ_KEY\x01"
                                   "7F0000010A2B18B4AAC26E0A6F4A0000\x02WAIT\x01true\x02TAGS\x01TagA";
    for (auto _ : state)
        benchmark::DoNotOptimize(tags_code(*find_property(properties, property::tags)));
}
BENCHMARK(find_tags_and_hash);

void send_request_written(benchmark::State& state) {
    remoting_command command;
    const auto outcome = command.decode(frame_of(serialize_type::json, as_bytes(java_send_header)));
    HOLDFAST_CHECK(outcome.ok());
    const auto request = decode_send_message(command);
    byte_buffer out{8192};
    for (auto _ : state) {
        out.clear();
        append_send_message(out, {.opaque = 4711}, *request);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(send_request_written);

} // namespace

BENCHMARK_MAIN();
