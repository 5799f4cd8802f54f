#include "protocol/send_message.hpp"

#include "protocol/requests.hpp"

#include <array>
#include <bit>
#include <utility>

namespace holdfast::protocol {

namespace {

struct field_names {
    char short_name;
    std::string_view long_name;
};

constexpr std::array<field_names, 14> send_fields{{
    {'a', "producerGroup"},
    {'b', "topic"},
    {'c', "defaultTopic"},
    {'d', "defaultTopicQueueNums"},
    {'e', "queueId"},
    {'f', "sysFlag"},
    {'g', "bornTimestamp"},
    {'h', "flag"},
    {'i', "properties"},
    {'j', "reconsumeTimes"},
    {'k', "unitMode"},
    {'l', "maxReconsumeTimes"},
    {'m', "batch"},
    {'n', "bname"},
}};

constexpr std::uint32_t bit(char short_name) {
    return 1U << static_cast<unsigned>(short_name - 'a');
}
constexpr std::uint32_t required_fields = bit('i') - 1; // a to h

constexpr std::string_view long_name_of(char short_name) {
    return send_fields[static_cast<std::size_t>(short_name - 'a')].long_name;
}

// The one-letter name of either spelling, or 0 for a field that is none of a send's.
char short_name_of(std::string_view name) {
    if (name.size() == 1)
        return name[0] >= 'a' && name[0] <= 'n' ? name[0] : '\0';
    for (const field_names& known : send_fields)
        if (known.long_name == name)
            return known.short_name;
    return '\0';
}

template <class T>
bool parse_optional(std::string_view text, T& to) {
    return text.empty() || parse_field(text, to);
}

bool parse_send_field(char name, std::string_view text, send_message_request& to) {
    switch (name) {
    case 'a':
        to.producer_group = text;
        return true;
    case 'b':
        to.topic = text;
        return true;
    case 'c':
        to.default_topic = text;
        return true;
    case 'd':
        return parse_field(text, to.default_topic_queue_count);
    case 'e':
        return parse_field(text, to.queue_id);
    case 'f':
        return parse_field(text, to.sys_flag);
    case 'g':
        return parse_field(text, to.born);
    case 'h':
        return parse_field(text, to.flag);
    case 'i':
        to.properties = text;
        return true;
    case 'j':
        return parse_optional(text, to.reconsume_times);
    case 'k':
        return parse_optional(text, to.unit_mode);
    case 'l': {
        std::int32_t times = 0;
        if (text.empty())
            return true;
        if (!parse_field(text, times))
            return false;
        to.max_reconsume_times = times;
        return true;
    }
    case 'm':
        return parse_optional(text, to.is_batch);
    default:
        to.broker_name = text;
        return true;
    }
}

// "queueId (e)", so that whoever reads the remark finds it in either spelling.
std::string both_names(char short_name) {
    std::string name{long_name_of(short_name)};
    name.append(" (").append(1, short_name).append(")");
    return name;
}

std::string_view kind_of(char name) {
    switch (name) {
    case 'g':
        return field_kind(timestamp_ms{});
    case 'k':
    case 'm':
        return field_kind(bool{});
    default:
        return field_kind(std::int32_t{});
    }
}

} // namespace

result<send_message_request> decode_send_message(const remoting_command& command) {
    send_message_request request;
    std::uint32_t seen = 0;
    for (const header_field& field : command.fields()) {
        const char name = short_name_of(field.name);
        if (name == '\0')
            continue;
        if (!parse_send_field(name, field.value, request))
            return bad_field(both_names(name), field.value, kind_of(name));
        seen |= bit(name);
    }
    if (const auto missing = required_fields & ~seen; missing != 0)
        return missing_field(both_names(static_cast<char>('a' + std::countr_zero(missing))));
    if (command.request() == request_code::send_batch_message)
        request.is_batch = true;
    request.body = command.body();
    return request;
}

void append_send_message(byte_buffer& out, const call& how, const send_message_request& request) {
    const auto code = request.is_batch ? request_code::send_batch_message : request_code::send_message_v2;
    command_writer writer{out, request_head(how, code)};
    writer.field("a", request.producer_group);
    writer.field("b", request.topic);
    writer.field("c", request.default_topic);
    writer.field("d", std::int64_t{request.default_topic_queue_count});
    writer.field("e", std::int64_t{request.queue_id});
    writer.field("f", std::int64_t{request.sys_flag});
    writer.field("g", request.born.value());
    writer.field("h", std::int64_t{request.flag});
    writer.field("i", request.properties);
    writer.field("j", std::int64_t{request.reconsume_times});
    writer.field("k", request.unit_mode);
    if (request.max_reconsume_times)
        writer.field("l", std::int64_t{*request.max_reconsume_times});
    writer.field("m", request.is_batch);
    if (!request.broker_name.empty())
        writer.field("n", request.broker_name);
    writer.finish(request.body);
}

} // namespace holdfast::protocol
