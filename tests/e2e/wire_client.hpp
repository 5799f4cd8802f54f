// A client that is nothing but a socket: it writes the frames, or half frames, that a test wants, and reads
// what comes back, one frame at a time. Every wait ends after `patience`.
#pragma once

#include "protocol/pull_message.hpp"
#include "protocol/remoting_command.hpp"
#include "protocol/requests.hpp"
#include "protocol/stored_message.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::e2e {

inline constexpr std::chrono::seconds patience{20};

// A frame that was received, and what it says.
struct answer {
    std::unique_ptr<std::vector<std::byte>> frame; // what the views of `command` point into
    protocol::remoting_command command;

    [[nodiscard]] std::int32_t code() const { return command.code(); }
    [[nodiscard]] std::string_view remark() const { return command.remark(); }
    [[nodiscard]] std::string_view body() const { return as_text(command.body()); }
    // The text of a field, empty when it is not there.
    [[nodiscard]] std::string field(std::string_view name) const {
        return std::string{command.find(name).value_or("")};
    }
    [[nodiscard]] std::int64_t number(std::string_view name) const;
    // The JSON header as it came.
    [[nodiscard]] std::string_view header_text() const;
    // The stored records of the body; their views point into this answer.
    [[nodiscard]] std::vector<protocol::stored_message_view> records() const;
};

class wire_client {
  public:
    explicit wire_client(std::uint16_t port,
                         protocol::serialize_type serialize = protocol::serialize_type::json);
    ~wire_client();
    wire_client(wire_client&& other) noexcept;
    wire_client& operator=(wire_client&&) = delete;

    [[nodiscard]] bool is_connected() const { return socket_ >= 0; }
    // Whether all bytes could be written.
    bool write(std::string_view bytes);
    // The next frame that comes; nothing when the connection ended or `wait` is over.
    std::optional<answer> read(std::chrono::milliseconds wait = patience);
    // Whether the broker ends the connection, without another byte.
    bool is_ended();
    void close();
    // Ends both directions; a write that waits in another thread returns.
    void shut_down();

    // Sends a request under a new opaque, which it returns.
    template <class Request>
    std::int32_t tell(const Request& request, std::string_view body = {}, bool oneway = false) {
        byte_buffer out;
        const auto how = next_call(oneway);
        protocol::append_request(out, how, request, as_bytes(body));
        EXPECT_TRUE(write(as_text(out.view())));
        return how.opaque;
    }
    // Sends a request and returns its answer; other frames that come before it are kept for read().
    template <class Request>
    answer ask(const Request& request, std::string_view body = {}) {
        return answer_to(tell(request, body));
    }
    // The same with any code and any fields.
    std::int32_t tell_raw(std::int32_t code,
                          const std::vector<std::pair<std::string, std::string>>& fields = {},
                          std::string_view body = {}, bool oneway = false);
    answer ask_raw(std::int32_t code, const std::vector<std::pair<std::string, std::string>>& fields = {},
                   std::string_view body = {}) {
        return answer_to(tell_raw(code, fields, body));
    }
    // As 310, or 320 for a batch.
    answer send(const protocol::send_message_request& request);
    answer answer_to(std::int32_t opaque);

    [[nodiscard]] protocol::call next_call(bool oneway = false);

  private:
    std::optional<answer> receive(std::chrono::milliseconds wait);

    int socket_ = -1;
    protocol::serialize_type serialize_;
    std::int32_t last_opaque_ = 0;
    std::vector<std::byte> unread_;
    std::vector<answer> kept_;
};

// A send to queue 0 of a topic, as the Java client fills it in.
protocol::send_message_request message_to(std::string_view topic, std::string_view body,
                                          std::string_view properties = {});

// A pull of everything, which is not held.
protocol::pull_message_request pull_of(std::string_view topic, std::int64_t offset,
                                       std::string_view group = "CID_wire");

// `name 0x01 value 0x02`
std::string property(std::string_view name, std::string_view value);

// How the test prints a code that it did not expect.
std::string described(const answer& what);

} // namespace holdfast::e2e
