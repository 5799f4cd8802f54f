// When a send is tried again, and what an answer means: the producer's table (protocol reference 2 and 6.1).
#pragma once

#include "client/send_result.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace holdfast::client {

enum class send_verdict : std::uint8_t {
    stored,        // code 0
    not_confirmed, // 10, 11, 12: stored somewhere, reported as an error, not sent again
    try_elsewhere, // 1, 14, 16, 17, 204, 205: another queue may do better
    give_up,       // everything else: trying again would not help
};

[[nodiscard]] send_verdict judge_response(int response_code);
// Of a send that got no answer.
[[nodiscard]] bool worth_another_try(send_error_kind kind);

// Nothing is wrong with the message: its broker is gone or leads no more, and another one takes over in a
// moment. Worth waiting for, as long as the send's time-out lasts.
[[nodiscard]] bool is_fail_over(send_error_kind kind, int response_code);
[[nodiscard]] inline bool is_fail_over(const send_error& why) {
    return is_fail_over(why.kind, why.response_code);
}
// Before the n-th (0, 1, ...) question for the new leader: 20 ms, doubling up to 200 ms.
[[nodiscard]] std::chrono::milliseconds fail_over_pause(unsigned questions_before);
// The same for what is less urgent than a send: 50 ms, doubling up to 1 s.
[[nodiscard]] std::chrono::milliseconds leader_search_pause(unsigned tries_before);

// The text of a failure for the person who must act on it: the code's name and what to do, then the remark.
[[nodiscard]] std::string describe_response(int response_code, std::string_view remark);

} // namespace holdfast::client
