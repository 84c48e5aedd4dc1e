package binary

import (
	"fmt"
	"reflect"
	"time"

	"github.com/gopcua/opcua/id"
)

// A RequestHeader begins each request. The secure channel fills it in.
type RequestHeader struct {
	AuthenticationToken NodeID
	Timestamp           time.Time
	RequestHandle       uint32
	ReturnDiagnostics   uint32
	AuditEntryID        string
	TimeoutHint         uint32 // ms; 0 is no limit
	AdditionalHeader    ExtensionObject
}

// Header is the header of the request that contains it.
func (h *RequestHeader) Header() *RequestHeader { return h }

// A ResponseHeader begins each response.
type ResponseHeader struct {
	Timestamp          time.Time
	RequestHandle      uint32
	ServiceResult      StatusCode
	ServiceDiagnostics DiagnosticInfo
	StringTable        []string
	AdditionalHeader   ExtensionObject
}

// Header is the header of the response that contains it.
func (h *ResponseHeader) Header() *ResponseHeader { return h }

// A Request is a pointer to one of the request types of this package.
type Request interface{ Header() *RequestHeader }

// A Response is a pointer to one of the response types of this package.
type Response interface{ Header() *ResponseHeader }

// The structures of requests and responses (OPC 10000-4), with their fields in order.
type (
	OpenSecureChannelRequest struct {
		RequestHeader
		ClientProtocolVersion uint32
		RequestType           uint32 // 0 issue, 1 renew
		SecurityMode          uint32
		ClientNonce           []byte
		RequestedLifetime     uint32
	}
	OpenSecureChannelResponse struct {
		ResponseHeader
		ServerProtocolVersion uint32
		ChannelID             uint32
		TokenID               uint32
		CreatedAt             time.Time
		RevisedLifetime       uint32
		ServerNonce           []byte
	}
	CloseSecureChannelRequest struct{ RequestHeader }

	GetEndpointsRequest struct {
		RequestHeader
		EndpointURL string
		LocaleIDs   []string
		ProfileURIs []string
	}
	GetEndpointsResponse struct {
		ResponseHeader
		Endpoints []EndpointDescription
	}
	ApplicationDescription struct {
		ApplicationURI      string
		ProductURI          string
		ApplicationName     LocalizedText
		ApplicationType     uint32 // 1 client
		GatewayServerURI    string
		DiscoveryProfileURI string
		DiscoveryURLs       []string
	}
	EndpointDescription struct {
		EndpointURL         string
		Server              ApplicationDescription
		ServerCertificate   []byte
		SecurityMode        uint32
		SecurityPolicyURI   string
		UserIdentityTokens  []UserTokenPolicy
		TransportProfileURI string
		SecurityLevel       uint8
	}
	UserTokenPolicy struct {
		PolicyID          string
		TokenType         uint32 // 0 anonymous, 1 user name, 2 certificate
		IssuedTokenType   string
		IssuerEndpointURL string
		SecurityPolicyURI string
	}
	SignatureData struct {
		Algorithm string
		Signature []byte
	}

	CreateSessionRequest struct {
		RequestHeader
		ClientDescription       ApplicationDescription
		ServerURI               string
		EndpointURL             string
		SessionName             string
		ClientNonce             []byte
		ClientCertificate       []byte
		RequestedSessionTimeout float64 // ms
		MaxResponseMessageSize  uint32
	}
	CreateSessionResponse struct {
		ResponseHeader
		SessionID                  NodeID
		AuthenticationToken        NodeID
		RevisedSessionTimeout      float64
		ServerNonce                []byte
		ServerCertificate          []byte
		ServerEndpoints            []EndpointDescription
		ServerSoftwareCertificates []SignatureData // same shape, and not used
		ServerSignature            SignatureData
		MaxRequestMessageSize      uint32
	}
	ActivateSessionRequest struct {
		RequestHeader
		ClientSignature            SignatureData
		ClientSoftwareCertificates []SignatureData
		LocaleIDs                  []string
		UserIdentityToken          ExtensionObject
		UserTokenSignature         SignatureData
	}
	ActivateSessionResponse struct {
		ResponseHeader
		ServerNonce     []byte
		Results         []StatusCode
		DiagnosticInfos []DiagnosticInfo
	}
	CloseSessionRequest struct {
		RequestHeader
		DeleteSubscriptions bool
	}
	CloseSessionResponse   struct{ ResponseHeader }
	AnonymousIdentityToken struct{ PolicyID string }
	UserNameIdentityToken  struct {
		PolicyID            string
		UserName            string
		Password            []byte
		EncryptionAlgorithm string
	}
	X509IdentityToken struct {
		PolicyID        string
		CertificateData []byte
	}

	ReadRequest struct {
		RequestHeader
		MaxAge             float64
		TimestampsToReturn uint32
		NodesToRead        []ReadValueID
	}
	ReadValueID struct {
		NodeID       NodeID
		AttributeID  uint32
		IndexRange   string
		DataEncoding QualifiedName
	}
	ReadResponse struct {
		ResponseHeader
		Results         []DataValue
		DiagnosticInfos []DiagnosticInfo
	}
	WriteRequest struct {
		RequestHeader
		NodesToWrite []WriteValue
	}
	WriteValue struct {
		NodeID      NodeID
		AttributeID uint32
		IndexRange  string
		Value       DataValue
	}
	WriteResponse struct {
		ResponseHeader
		Results         []StatusCode
		DiagnosticInfos []DiagnosticInfo
	}
	CallRequest struct {
		RequestHeader
		MethodsToCall []CallMethodRequest
	}
	CallMethodRequest struct {
		ObjectID       NodeID
		MethodID       NodeID
		InputArguments []Variant
	}
	CallResponse struct {
		ResponseHeader
		Results         []CallMethodResult
		DiagnosticInfos []DiagnosticInfo
	}
	CallMethodResult struct {
		StatusCode                   StatusCode
		InputArgumentResults         []StatusCode
		InputArgumentDiagnosticInfos []DiagnosticInfo
		OutputArguments              []Variant
	}

	BrowseRequest struct {
		RequestHeader
		ViewID                        NodeID
		ViewTimestamp                 time.Time
		ViewVersion                   uint32
		RequestedMaxReferencesPerNode uint32
		NodesToBrowse                 []BrowseDescription
	}
	BrowseDescription struct {
		NodeID          NodeID
		BrowseDirection uint32 // 0 forward
		ReferenceTypeID NodeID
		IncludeSubtypes bool
		NodeClassMask   uint32
		ResultMask      uint32
	}
	BrowseResponse struct {
		ResponseHeader
		Results         []BrowseResult
		DiagnosticInfos []DiagnosticInfo
	}
	BrowseResult struct {
		StatusCode        StatusCode
		ContinuationPoint []byte
		References        []ReferenceDescription
	}
	ReferenceDescription struct {
		ReferenceTypeID NodeID
		IsForward       bool
		NodeID          ExpandedNodeID
		BrowseName      QualifiedName
		DisplayName     LocalizedText
		NodeClass       uint32
		TypeDefinition  ExpandedNodeID
	}
	BrowseNextRequest struct {
		RequestHeader
		ReleaseContinuationPoints bool
		ContinuationPoints        [][]byte
	}
	BrowseNextResponse struct {
		ResponseHeader
		Results         []BrowseResult
		DiagnosticInfos []DiagnosticInfo
	}
	TranslateBrowsePathsRequest struct {
		RequestHeader
		BrowsePaths []BrowsePath
	}
	BrowsePath struct {
		StartingNode NodeID
		RelativePath []RelativePathElement
	}
	RelativePathElement struct {
		ReferenceTypeID NodeID
		IsInverse       bool
		IncludeSubtypes bool
		TargetName      QualifiedName
	}
	TranslateBrowsePathsResponse struct {
		ResponseHeader
		Results         []BrowsePathResult
		DiagnosticInfos []DiagnosticInfo
	}
	BrowsePathResult struct {
		StatusCode StatusCode
		Targets    []BrowsePathTarget
	}
	BrowsePathTarget struct {
		TargetID           ExpandedNodeID
		RemainingPathIndex uint32
	}

	CreateSubscriptionRequest struct {
		RequestHeader
		RequestedPublishingInterval float64 // ms
		RequestedLifetimeCount      uint32
		RequestedMaxKeepAliveCount  uint32
		MaxNotificationsPerPublish  uint32
		PublishingEnabled           bool
		Priority                    uint8
	}
	CreateSubscriptionResponse struct {
		ResponseHeader
		SubscriptionID            uint32
		RevisedPublishingInterval float64
		RevisedLifetimeCount      uint32
		RevisedMaxKeepAliveCount  uint32
	}
	DeleteSubscriptionsRequest struct {
		RequestHeader
		SubscriptionIDs []uint32
	}
	DeleteSubscriptionsResponse struct {
		ResponseHeader
		Results         []StatusCode
		DiagnosticInfos []DiagnosticInfo
	}
	TransferSubscriptionsRequest struct {
		RequestHeader
		SubscriptionIDs   []uint32
		SendInitialValues bool
	}
	TransferSubscriptionsResponse struct {
		ResponseHeader
		Results         []TransferResult
		DiagnosticInfos []DiagnosticInfo
	}
	TransferResult struct {
		StatusCode               StatusCode
		AvailableSequenceNumbers []uint32
	}

	CreateMonitoredItemsRequest struct {
		RequestHeader
		SubscriptionID     uint32
		TimestampsToReturn uint32 // 2 both
		ItemsToCreate      []MonitoredItemCreateRequest
	}
	MonitoredItemCreateRequest struct {
		ItemToMonitor       ReadValueID
		MonitoringMode      uint32 // 2 reporting
		RequestedParameters MonitoringParameters
	}
	MonitoringParameters struct {
		ClientHandle     uint32
		SamplingInterval float64 // ms; 0 is each change
		Filter           ExtensionObject
		QueueSize        uint32
		DiscardOldest    bool
	}
	CreateMonitoredItemsResponse struct {
		ResponseHeader
		Results         []MonitoredItemCreateResult
		DiagnosticInfos []DiagnosticInfo
	}
	MonitoredItemCreateResult struct {
		StatusCode              StatusCode
		MonitoredItemID         uint32
		RevisedSamplingInterval float64
		RevisedQueueSize        uint32
		FilterResult            ExtensionObject
	}
	DeleteMonitoredItemsRequest struct {
		RequestHeader
		SubscriptionID   uint32
		MonitoredItemIDs []uint32
	}
	DeleteMonitoredItemsResponse struct {
		ResponseHeader
		Results         []StatusCode
		DiagnosticInfos []DiagnosticInfo
	}
	DataChangeFilter struct {
		Trigger       uint32 // 1 status or value
		DeadbandType  uint32 // 0 none, 1 absolute, 2 percent
		DeadbandValue float64
	}
	EventFilter struct {
		SelectClauses []SimpleAttributeOperand
		WhereClause   []ContentFilterElement
	}
	SimpleAttributeOperand struct {
		TypeDefinitionID NodeID
		BrowsePath       []QualifiedName
		AttributeID      uint32
		IndexRange       string
	}
	ContentFilterElement struct {
		FilterOperator uint32
		FilterOperands []ExtensionObject
	}
	LiteralOperand struct{ Value Variant }
	ElementOperand struct{ Index uint32 }

	PublishRequest struct {
		RequestHeader
		SubscriptionAcknowledgements []SubscriptionAcknowledgement
	}
	SubscriptionAcknowledgement struct {
		SubscriptionID uint32
		SequenceNumber uint32
	}
	PublishResponse struct {
		ResponseHeader
		SubscriptionID           uint32
		AvailableSequenceNumbers []uint32
		MoreNotifications        bool
		NotificationMessage      NotificationMessage
		Results                  []StatusCode
		DiagnosticInfos          []DiagnosticInfo
	}
	NotificationMessage struct {
		SequenceNumber   uint32
		PublishTime      time.Time
		NotificationData []ExtensionObject
	}
	RepublishRequest struct {
		RequestHeader
		SubscriptionID           uint32
		RetransmitSequenceNumber uint32
	}
	RepublishResponse struct {
		ResponseHeader
		NotificationMessage NotificationMessage
	}
	DataChangeNotification struct {
		MonitoredItems  []MonitoredItemNotification
		DiagnosticInfos []DiagnosticInfo
	}
	MonitoredItemNotification struct {
		ClientHandle uint32
		Value        DataValue
	}
	EventNotificationList struct{ Events []EventFieldList }
	EventFieldList        struct {
		ClientHandle uint32
		EventFields  []Variant
	}
	StatusChangeNotification struct {
		Status         StatusCode
		DiagnosticInfo DiagnosticInfo
	}

	ServiceFault struct{ ResponseHeader }

	StructureDefinition struct {
		DefaultEncodingID NodeID
		BaseDataType      NodeID
		StructureType     uint32 // 0 structure, 1 with optional fields, 2 union; 3 and 4 the same with subtypes
		Fields            []StructureField
	}
	StructureField struct {
		Name            string
		Description     LocalizedText
		DataType        NodeID
		ValueRank       int32
		ArrayDimensions []uint32
		MaxStringLength uint32
		IsOptional      bool
	}
	Argument struct {
		Name            string
		DataType        NodeID
		ValueRank       int32
		ArrayDimensions []uint32
		Description     LocalizedText
	}
)

func (n *MonitoredItemNotification) decodeFrom(r *Reader) {
	n.ClientHandle = r.Uint32()
	n.Value = r.DataValue()
}

func (n *EventFieldList) decodeFrom(r *Reader) {
	n.ClientHandle = r.Uint32()
	n.EventFields = Slice(r, (*Reader).Variant)
}

var requestIDs = map[reflect.Type]uint32{
	reflect.TypeFor[OpenSecureChannelRequest]():     id.OpenSecureChannelRequest_Encoding_DefaultBinary,
	reflect.TypeFor[CloseSecureChannelRequest]():    id.CloseSecureChannelRequest_Encoding_DefaultBinary,
	reflect.TypeFor[GetEndpointsRequest]():          id.GetEndpointsRequest_Encoding_DefaultBinary,
	reflect.TypeFor[CreateSessionRequest]():         id.CreateSessionRequest_Encoding_DefaultBinary,
	reflect.TypeFor[ActivateSessionRequest]():       id.ActivateSessionRequest_Encoding_DefaultBinary,
	reflect.TypeFor[CloseSessionRequest]():          id.CloseSessionRequest_Encoding_DefaultBinary,
	reflect.TypeFor[ReadRequest]():                  id.ReadRequest_Encoding_DefaultBinary,
	reflect.TypeFor[WriteRequest]():                 id.WriteRequest_Encoding_DefaultBinary,
	reflect.TypeFor[CallRequest]():                  id.CallRequest_Encoding_DefaultBinary,
	reflect.TypeFor[BrowseRequest]():                id.BrowseRequest_Encoding_DefaultBinary,
	reflect.TypeFor[BrowseNextRequest]():            id.BrowseNextRequest_Encoding_DefaultBinary,
	reflect.TypeFor[TranslateBrowsePathsRequest]():  id.TranslateBrowsePathsToNodeIDsRequest_Encoding_DefaultBinary,
	reflect.TypeFor[CreateSubscriptionRequest]():    id.CreateSubscriptionRequest_Encoding_DefaultBinary,
	reflect.TypeFor[DeleteSubscriptionsRequest]():   id.DeleteSubscriptionsRequest_Encoding_DefaultBinary,
	reflect.TypeFor[TransferSubscriptionsRequest](): id.TransferSubscriptionsRequest_Encoding_DefaultBinary,
	reflect.TypeFor[CreateMonitoredItemsRequest]():  id.CreateMonitoredItemsRequest_Encoding_DefaultBinary,
	reflect.TypeFor[DeleteMonitoredItemsRequest]():  id.DeleteMonitoredItemsRequest_Encoding_DefaultBinary,
	reflect.TypeFor[PublishRequest]():               id.PublishRequest_Encoding_DefaultBinary,
	reflect.TypeFor[RepublishRequest]():             id.RepublishRequest_Encoding_DefaultBinary,
}

var responses = map[uint32]func() Response{
	id.ServiceFault_Encoding_DefaultBinary:                          func() Response { return &ServiceFault{} },
	id.OpenSecureChannelResponse_Encoding_DefaultBinary:             func() Response { return &OpenSecureChannelResponse{} },
	id.GetEndpointsResponse_Encoding_DefaultBinary:                  func() Response { return &GetEndpointsResponse{} },
	id.CreateSessionResponse_Encoding_DefaultBinary:                 func() Response { return &CreateSessionResponse{} },
	id.ActivateSessionResponse_Encoding_DefaultBinary:               func() Response { return &ActivateSessionResponse{} },
	id.CloseSessionResponse_Encoding_DefaultBinary:                  func() Response { return &CloseSessionResponse{} },
	id.ReadResponse_Encoding_DefaultBinary:                          func() Response { return &ReadResponse{} },
	id.WriteResponse_Encoding_DefaultBinary:                         func() Response { return &WriteResponse{} },
	id.CallResponse_Encoding_DefaultBinary:                          func() Response { return &CallResponse{} },
	id.BrowseResponse_Encoding_DefaultBinary:                        func() Response { return &BrowseResponse{} },
	id.BrowseNextResponse_Encoding_DefaultBinary:                    func() Response { return &BrowseNextResponse{} },
	id.TranslateBrowsePathsToNodeIDsResponse_Encoding_DefaultBinary: func() Response { return &TranslateBrowsePathsResponse{} },
	id.CreateSubscriptionResponse_Encoding_DefaultBinary:            func() Response { return &CreateSubscriptionResponse{} },
	id.DeleteSubscriptionsResponse_Encoding_DefaultBinary:           func() Response { return &DeleteSubscriptionsResponse{} },
	id.TransferSubscriptionsResponse_Encoding_DefaultBinary:         func() Response { return &TransferSubscriptionsResponse{} },
	id.CreateMonitoredItemsResponse_Encoding_DefaultBinary:          func() Response { return &CreateMonitoredItemsResponse{} },
	id.DeleteMonitoredItemsResponse_Encoding_DefaultBinary:          func() Response { return &DeleteMonitoredItemsResponse{} },
	id.PublishResponse_Encoding_DefaultBinary:                       func() Response { return &PublishResponse{} },
	id.RepublishResponse_Encoding_DefaultBinary:                     func() Response { return &RepublishResponse{} },
}

// EncodeRequest is a request with its type in front.
func EncodeRequest(q Request) []byte {
	w := &Writer{}
	w.NodeID(Numeric(requestIDs[reflect.TypeOf(q).Elem()]))
	w.Encode(q)
	return w.Bytes()
}

// DecodeResponse reads a response with its type in front, and allocates no more than about room bytes for it.
func DecodeResponse(b []byte, room int) (Response, error) {
	r := NewReader(b, room)
	typ := r.NodeID()
	if r.err != nil {
		return nil, fmt.Errorf("reading the type of a response: %w", r.err)
	}
	make, known := responses[typ.Number]
	if !known || typ.Namespace != 0 || typ.Kind != 'i' {
		return nil, fmt.Errorf("%w: a response of type %+v", ErrMalformed, typ)
	}
	response := make()
	if err := r.Decode(response); err != nil {
		return nil, fmt.Errorf("reading %T: %w", response, err)
	}
	return response, nil
}

// Encoded is a structure of this package as an ExtensionObject of the type that has the number.
func Encoded(number uint32, structure any) ExtensionObject {
	w := &Writer{}
	w.Encode(structure)
	return ExtensionObject{Type: ExpandedNodeID{NodeID: Numeric(number)}, Encoding: BodyBinary, Body: w.Bytes()}
}
