#include "tests/e2e/wire_client.hpp"

#include "protocol/frame.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast::e2e {

using clock = std::chrono::steady_clock;

std::int64_t answer::number(std::string_view name) const {
    std::int64_t value = -4711;
    EXPECT_TRUE(protocol::parse_field(field(name), value))
        << name << " is '" << field(name) << "': " << described(*this);
    return value;
}

std::string_view answer::header_text() const {
    const auto found = protocol::next_frame(*frame);
    return as_text((*found)->header);
}

std::vector<protocol::stored_message_view> answer::records() const {
    std::vector<protocol::stored_message_view> all;
    protocol::stored_message_reader reader{command.body()};
    while (auto next = reader.next()) {
        if (!next->ok()) {
            ADD_FAILURE() << next->failure().message;
            break;
        }
        all.push_back(**next);
    }
    return all;
}

wire_client::wire_client(std::uint16_t port, protocol::serialize_type serialize)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), serialize_(serialize) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        close();
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval limit{patience.count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

wire_client::~wire_client() {
    close();
}

wire_client::wire_client(wire_client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      serialize_(other.serialize_),
      last_opaque_(other.last_opaque_),
      unread_(std::move(other.unread_)),
      kept_(std::move(other.kept_)) {}

void wire_client::close() {
    if (socket_ >= 0)
        ::close(socket_);
    socket_ = -1;
}

void wire_client::shut_down() {
    ::shutdown(socket_, SHUT_RDWR);
}

bool wire_client::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::optional<answer> wire_client::read(std::chrono::milliseconds wait) {
    if (kept_.empty())
        return receive(wait);
    auto first = std::move(kept_.front());
    kept_.erase(kept_.begin());
    return first;
}

std::optional<answer> wire_client::receive(std::chrono::milliseconds wait) {
    const auto deadline = clock::now() + wait;
    while (true) {
        const auto found = protocol::next_frame(unread_);
        if (!found.ok()) {
            ADD_FAILURE() << "the broker sent no frame: " << found.failure().message;
            return std::nullopt;
        }
        if (*found) {
            const auto size = static_cast<std::ptrdiff_t>((*found)->size);
            answer received{std::make_unique<std::vector<std::byte>>(unread_.begin(), unread_.begin() + size),
                            {}};
            unread_.erase(unread_.begin(), unread_.begin() + size);
            const auto decoded = received.command.decode(**protocol::next_frame(*received.frame));
            EXPECT_TRUE(decoded.ok());
            return received;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
        pollfd waiting{socket_, POLLIN, 0};
        if (left.count() < 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
            return std::nullopt;
        std::vector<std::byte> chunk(256U * 1024);
        const auto count = ::recv(socket_, chunk.data(), chunk.size(), 0);
        if (count <= 0)
            return std::nullopt;
        unread_.insert(unread_.end(), chunk.begin(), chunk.begin() + count);
    }
}

bool wire_client::is_ended() {
    pollfd waiting{socket_, POLLIN, 0};
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
    if (::poll(&waiting, 1, static_cast<int>(limit)) <= 0)
        return false;
    std::byte one{};
    return ::recv(socket_, &one, 1, 0) <= 0;
}

std::int32_t wire_client::tell_raw(std::int32_t code,
                                   const std::vector<std::pair<std::string, std::string>>& fields,
                                   std::string_view body, bool oneway) {
    byte_buffer out;
    const auto how = next_call(oneway);
    protocol::command_writer writer{out,
                                    protocol::request_head(how, static_cast<protocol::request_code>(code))};
    for (const auto& [name, value] : fields)
        writer.field(name, std::string_view{value});
    writer.finish(as_bytes(body));
    EXPECT_TRUE(write(as_text(out.view())));
    return how.opaque;
}

answer wire_client::send(const protocol::send_message_request& request) {
    byte_buffer out;
    const auto how = next_call();
    protocol::append_send_message(out, how, request);
    EXPECT_TRUE(write(as_text(out.view())));
    return answer_to(how.opaque);
}

answer wire_client::answer_to(std::int32_t opaque) {
    const auto is_it = [&](const answer& each) {
        return each.command.is_response() && each.command.opaque() == opaque;
    };
    if (const auto found = std::find_if(kept_.begin(), kept_.end(), is_it); found != kept_.end()) {
        auto it = std::move(*found);
        kept_.erase(found);
        return it;
    }
    while (auto next = receive(patience)) {
        if (is_it(*next))
            return std::move(*next);
        kept_.push_back(std::move(*next));
    }
    ADD_FAILURE() << "no answer to the request with opaque " << opaque;
    return {std::make_unique<std::vector<std::byte>>(), {}};
}

protocol::call wire_client::next_call(bool oneway) {
    return {.opaque = ++last_opaque_, .oneway = oneway, .serialize = serialize_};
}

protocol::send_message_request message_to(std::string_view topic, std::string_view body,
                                          std::string_view properties) {
    protocol::send_message_request request;
    request.producer_group = "PID_wire";
    request.topic = topic;
    request.default_topic = "TBW102";
    request.born = timestamp_ms{1'700'000'000'000};
    request.properties = properties;
    request.body = as_bytes(body);
    return request;
}

protocol::pull_message_request pull_of(std::string_view topic, std::int64_t offset, std::string_view group) {
    protocol::pull_message_request request;
    request.consumer_group = group;
    request.topic = topic;
    request.offset = queue_offset{offset};
    request.sys_flag = protocol::pull_flag::subscription;
    request.subscription = "*";
    return request;
}

std::string property(std::string_view name, std::string_view value) {
    std::string text;
    text.append(name).push_back(protocol::name_separator);
    text.append(value).push_back(protocol::property_separator);
    return text;
}

std::string described(const answer& what) {
    return "code " + std::to_string(what.code()) + " '" + std::string{what.remark()} + "'";
}

} // namespace holdfast::e2e
