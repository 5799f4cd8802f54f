// The answers on the hot way, written straight into the output (protocol reference 3.2, 3.3).
//
// Byte for byte what append_response would write for the same fields (a test holds them together), several
// times faster.
#pragma once

#include "base/byte_buffer.hpp"
#include "protocol/pull_message.hpp"
#include "protocol/requests.hpp"
#include "protocol/send_message.hpp"

namespace holdfast::protocol {

// SUCCESS to a send. The texts of `answer` are plain ASCII without quotes or backslashes (an offset message
// id, base64, a configured region).
void append_send_answer(byte_buffer& out, const answer_to& to, const send_message_response& answer);

// The header of an answer to a pull; `body_size` bytes of stored records must follow it in the stream.
// `remark` is the lookup status' name: plain ASCII without quotes, like the texts above.
void append_pull_answer(byte_buffer& out, const answer_to& to, response_code code, std::string_view remark,
                        const pull_message_response& answer, std::size_t body_size);

} // namespace holdfast::protocol
