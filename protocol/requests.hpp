// All typed requests and their responses, and how they become frames.
//
//     auto pull = decode_header<pull_message_request>(command);            // server: read
//     append_response(out, answer_to::of(command), pull_response);         // server: answer
//     append_request(out, call{.opaque = 7}, query_consumer_offset_request{...});   // client: ask
//     auto got = decode_header<query_consumer_offset_response>(answer);    // client: read
//
// Requests with a body of their own (heartbeat, locks) take it as bytes; the bodies are in heartbeat.hpp,
// queue_bodies.hpp, route.hpp and admin_bodies.hpp. The answers on the hot way are in answers.hpp.
#pragma once

#include "protocol/group_requests.hpp"
#include "protocol/header_fields.hpp"
#include "protocol/offset_requests.hpp"
#include "protocol/pull_message.hpp"
#include "protocol/query_requests.hpp"
#include "protocol/send_message.hpp"
#include "protocol/topic_requests.hpp"
#include "protocol/transaction_requests.hpp"

namespace holdfast::protocol {

// How a request goes out. Never originate opaque 0: ali-ons replaces it (1.1).
struct call {
    std::int32_t opaque = 1;
    bool oneway = false;
    serialize_type serialize = serialize_type::json;
    protocol::language language = protocol::language::cpp;
    std::string_view remark{};
};

[[nodiscard]] inline command_head request_head(const call& how, request_code code) {
    return {.code = static_cast<std::int32_t>(code),
            .serialize = how.serialize,
            .opaque = how.opaque,
            .flag = how.oneway ? command_flag::oneway : 0,
            .language = how.language,
            .remark = how.remark};
}

template <class Request>
void append_request(byte_buffer& out, const call& how, const Request& request, byte_view body = {}) {
    command_writer writer{out, request_head(how, Request::code)};
    field_writer fields{writer};
    Request::fields(request, fields);
    writer.finish(body);
}

// Writes a send with short names as 310, or as 320 for a batch; the body is the request's.
void append_send_message(byte_buffer& out, const call& how, const send_message_request& request);

// What an answer must repeat of its request: the dialect and the number.
struct answer_to {
    std::int32_t opaque = 0;
    serialize_type serialize = serialize_type::json;

    [[nodiscard]] static answer_to of(const remoting_command& request) {
        return {.opaque = request.opaque(), .serialize = request.serialize()};
    }
};

[[nodiscard]] inline command_head response_head(const answer_to& to, response_code code,
                                                std::string_view remark = {}) {
    return {.code = static_cast<std::int32_t>(code),
            .serialize = to.serialize,
            .opaque = to.opaque,
            .flag = command_flag::response,
            .remark = remark};
}

// An answer with fields, SUCCESS unless said otherwise, and a body.
template <class Response>
void append_response(byte_buffer& out, const answer_to& to, const Response& response, byte_view body = {},
                     response_code code = response_code::success, std::string_view remark = {}) {
    command_writer writer{out, response_head(to, code, remark)};
    field_writer fields{writer};
    Response::fields(response, fields);
    writer.finish(body);
}

// SUCCESS without fields, or an error with its remark.
inline void append_success(byte_buffer& out, const answer_to& to, byte_view body = {}) {
    append_response(out, to, no_fields{}, body);
}
inline void append_failure(byte_buffer& out, const answer_to& to, response_code code,
                           std::string_view remark) {
    append_response(out, to, no_fields{}, {}, code, remark);
}

} // namespace holdfast::protocol
